// The reader against files that PyTorch wrote, and against damaged and hostile ones.
#include "convert/import/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/base/error.h"
#include "common/base/random.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

using slipway::testing::TorchOutput;
using ::testing::AnyOf;
using ::testing::HasSubstr;

const TorchOutput& Written() {
  static const TorchOutput output({"checkpoints"});
  return output;
}

absl::StatusOr<Checkpoint> Read(const std::filesystem::path& path) {
  auto file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  return ReadCheckpoint(*std::move(file));
}

// Bytes as a file of their own, mapped anew: sanitizers see a read beyond its end.
absl::StatusOr<Checkpoint> ReadBytes(std::string_view bytes) {
  auto fd = SealedMemory("checkpoint", std::as_bytes(std::span(bytes)));
  if (!fd.ok()) return fd.status();
  auto file = MappedFile::Map(fd->get(), "checkpoint");
  if (!file.ok()) return file.status();
  auto checkpoint = ReadCheckpoint(*std::move(file));
  if (checkpoint.ok()) {
    // Touch every byte that the reader promises.
    unsigned sum = 0;
    for (const NamedTensor& named : checkpoint->tensors) {
      for (const std::byte b : named.tensor.bytes()) sum += static_cast<unsigned>(b);
    }
    [[maybe_unused]] static volatile unsigned keep;
    keep = sum;
  }
  return checkpoint;
}

std::string Bytes(std::string_view name) {
  auto text = ReadFile(Written().folder() / name);
  EXPECT_TRUE(text.ok()) << text.status();
  return *text;
}

TEST(Checkpoint, ReadsWhatTorchWroteInEveryFormAndProtocol) {
  for (const auto& [path, format] : Written().index().at("good").items()) {
    SCOPED_TRACE(path);
    const auto checkpoint = Read(Written().folder() / path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ(checkpoint->format, format.get<std::string>());
    const auto& expected = Written().index().at("tensors");
    ASSERT_EQ(checkpoint->tensors.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      SCOPED_TRACE(expected[i].at("name").get<std::string>());
      EXPECT_EQ(checkpoint->tensors[i].name, expected[i].at("name").get<std::string>());
      EXPECT_TRUE(checkpoint->tensors[i].tensor.SameBytes(Written().Read(expected[i])));
    }
  }
}

TEST(Checkpoint, ContiguousTensorsAreViewsOfTheFile) {
  for (const char* path : {"nested-legacy-2.pt", "nested-zip-2.pt"}) {
    auto file = MappedFile::Open(Written().folder() / path);
    ASSERT_TRUE(file.ok());
    const auto mapped = (*file)->bytes();
    const auto checkpoint = ReadCheckpoint(*file);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    for (const NamedTensor& named : checkpoint->tensors) {
      if (named.tensor.size() == 0) continue;
      const bool strided =
          named.name.ends_with("transposed") || named.name.ends_with("sliced") || named.name.ends_with("broadcast");
      const bool inside =
          named.tensor.bytes().data() >= mapped.data() && named.tensor.bytes().data() < mapped.data() + mapped.size();
      EXPECT_EQ(inside, !strided) << named.name;
    }
  }
}

TEST(Checkpoint, CodeIsRefusedByItsName) {
  for (const char* path : {"evil-legacy.pt", "evil-zip.pt", "evil-0.pkl", "evil-1.pkl", "evil-2.pkl", "evil-3.pkl",
                           "evil-4.pkl", "evil-5.pkl"}) {
    const auto checkpoint = Read(Written().folder() / path);
    EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kInvalidArgument) << path << checkpoint.status();
    EXPECT_THAT(Message(checkpoint.status()), AnyOf(HasSubstr("'posix.system'"), HasSubstr("'os.system'"))) << path;
  }
  for (const char* path : {"module-legacy.pt", "module-zip.pt", "script.pt"}) {
    const auto checkpoint = Read(Written().folder() / path);
    EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kInvalidArgument) << path << checkpoint.status();
    EXPECT_THAT(Message(checkpoint.status()), HasSubstr("refused")) << path;
  }
}

TEST(Checkpoint, UnreadStoragesAreRefusedByTensorName) {
  for (const char* path : {"complex-legacy.pt", "complex-zip.pt", "quantised-legacy.pt", "quantised-zip.pt"}) {
    const auto checkpoint = Read(Written().folder() / path);
    EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kUnimplemented) << path << checkpoint.status();
    EXPECT_THAT(Message(checkpoint.status()), HasSubstr("tensor 'weight'")) << path;
  }
}

TEST(Checkpoint, BigEndianIsRefusedByTensorName) {
  std::string legacy = Bytes("nested-legacy-2.pt");
  const size_t flag = legacy.find("little_endian");
  ASSERT_NE(flag, std::string::npos);
  const size_t value = legacy.find('\x88', flag);
  ASSERT_LT(value - flag, 32u);
  legacy[value] = '\x89';
  const auto checkpoint = ReadBytes(legacy);
  EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kUnimplemented) << checkpoint.status();
  EXPECT_THAT(Message(checkpoint.status()), HasSubstr("'state_dict.float32' is stored big-endian"));
}

TEST(Checkpoint, ArchivesOfOtherWriters) {
  const auto repacked = Read(Written().folder() / "repacked-zip.pt");
  ASSERT_TRUE(repacked.ok()) << repacked.status();
  EXPECT_EQ(repacked->tensors.size(), Written().index().at("tensors").size());
  const auto compressed = Read(Written().folder() / "compressed-zip.pt");
  EXPECT_EQ(compressed.status().code(), absl::StatusCode::kUnimplemented) << compressed.status();
  EXPECT_THAT(Message(compressed.status()), HasSubstr("compressed"));
  const auto big_endian = Read(Written().folder() / "big-endian-zip.pt");
  EXPECT_EQ(big_endian.status().code(), absl::StatusCode::kUnimplemented) << big_endian.status();
  EXPECT_THAT(Message(big_endian.status()), HasSubstr("'state_dict.float32' is stored big-endian"));
}

TEST(Checkpoint, ADamagedPickleIsFoundByItsChecksum) {
  std::string zip = Bytes("nested-zip-2.pt");
  const size_t key = zip.find("float32");
  ASSERT_NE(key, std::string::npos);
  zip[key] = 'F';
  EXPECT_THAT(Message(ReadBytes(zip).status()), HasSubstr("checksum"));
}

TEST(Checkpoint, WhatIsNoCheckpointIsSaidSo) {
  for (const std::string_view bytes : {std::string_view(""), std::string_view("config: yes\n"),
                                       std::string_view("\x08\x07\x12\x04onnx"), std::string_view("\x80\x02}.")}) {
    const auto checkpoint = ReadBytes(bytes);
    EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kInvalidArgument) << checkpoint.status();
    EXPECT_THAT(Message(checkpoint.status()), HasSubstr("no checkpoint"));
  }
  for (const char* path : {"empty-legacy.pt", "empty-zip.pt"}) {
    EXPECT_THAT(Message(Read(Written().folder() / path).status()), HasSubstr("holds no tensors"));
  }
}

TEST(Checkpoint, TruncatedAnywhereIsDataLossOrNoCheckpoint) {
  for (const char* path : {"nested-legacy-2.pt", "nested-legacy-5.pt", "nested-zip-2.pt"}) {
    const std::string whole = Bytes(path);
    for (size_t size = 0; size < whole.size(); size += 1 + size / 97) {
      const auto checkpoint = ReadBytes(std::string_view(whole).substr(0, size));
      ASSERT_FALSE(checkpoint.ok()) << path << " cut at " << size;
      ASSERT_THAT(checkpoint.status().code(), AnyOf(absl::StatusCode::kDataLoss, absl::StatusCode::kInvalidArgument))
          << checkpoint.status();
      if (size > 64) {
        ASSERT_EQ(checkpoint.status().code(), absl::StatusCode::kDataLoss)
            << path << " cut at " << size << checkpoint.status();
      }
    }
  }
  const std::string whole = Bytes("nested-legacy-2.pt");
  EXPECT_THAT(Message(ReadBytes(whole.substr(0, whole.size() - 1)).status()),
              AllOf(HasSubstr("truncated"), HasSubstr("offset"), HasSubstr(std::to_string(whole.size() - 1))));
}

TEST(Checkpoint, DamagedBytesNeverCrash) {
  Random random(1);
  int refused = 0, rounds = 0;
  for (const char* path : {"nested-legacy-2.pt", "nested-legacy-4.pt", "nested-zip-2.pt", "nested-zip-5.pt"}) {
    const std::string whole = Bytes(path);
    for (int round = 0; round < 4000; ++round, ++rounds) {
      std::string damaged = whole;
      for (uint64_t flips = 1 + random.Next() % 4; flips > 0; --flips)
        damaged[random.Next() % damaged.size()] = static_cast<char>(random.Next());
      refused += ReadBytes(damaged).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, rounds / 4);
}

// Sizes that a file lies about. The pickles are written by hand: torch would not.
class Lies : public ::testing::Test {
 protected:
  static std::string Int(int64_t value) {
    std::string text = "\x8a\x08";
    for (int i = 0; i < 8; ++i) text += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
    return text;
  }
  static std::string Text(std::string_view text) {
    std::string made = "X";
    for (int i = 0; i < 4; ++i) made += static_cast<char>(text.size() >> (8 * i));
    return made + std::string(text);
  }
  // {"weight": a tensor of `shape` and `stride` at `offset` in a storage that says `elements` floats}, then what the stream says.
  static std::string Stream(int64_t elements, int64_t offset, std::vector<int64_t> shape, std::vector<int64_t> stride,
                            int64_t stored, size_t bytes) {
    const auto tuple = [](const std::vector<int64_t>& values) {
      std::string made = "(";
      for (const int64_t value : values) made += Int(value);
      return made + "t";
    };
    std::string text = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.") + "\x80\x02" +
                       Int(1001) + "." + "\x80\x02}.";
    text += "\x80\x02}" + Text("weight") + "ctorch._utils\n_rebuild_tensor_v2\n(" + "(" + Text("storage") +
            "ctorch\nFloatStorage\n" + Text("0") + Text("cpu") + Int(elements) + "NtQ" + Int(offset) + tuple(shape) +
            tuple(stride) + "\x89" + "}tRs.";
    text += "\x80\x02](" + Text("0") + "e.";
    text.append(reinterpret_cast<const char*>(&stored), sizeof(stored));
    return text + std::string(bytes, '\x01');
  }
};

TEST_F(Lies, TheTruthIsRead) {
  const auto checkpoint = ReadBytes(Stream(6, 1, {2, 2}, {3, 1}, 6, 24));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->tensors[0].tensor.shape(), (std::vector<int64_t>{2, 2}));
}
TEST_F(Lies, AreDataLoss) {
  const int64_t huge = int64_t{1} << 60;
  const std::vector<std::string> lies = {
      Stream(6, 0, {7}, {1}, 6, 24),                // more than the storage
      Stream(6, 3, {4}, {1}, 6, 24),                // behind its end
      Stream(6, 0, {2, 2}, {5, 1}, 6, 24),          // strides beyond it
      Stream(6, -1, {2}, {1}, 6, 24),               // before it
      Stream(6, 0, {2}, {-1}, 6, 24),               // backwards
      Stream(6, 0, {-2}, {1}, 6, 24),               // a negative size
      Stream(6, 0, {huge, huge}, {1, 1}, 6, 24),    // an overflow of the count
      Stream(6, 0, {2}, {huge * 4}, 6, 24),         // an overflow of the reach
      Stream(6, huge * 7, {2}, {huge}, 6, 24),      // the same by the offset
      Stream(6, 0, {2, 2}, {1}, 6, 24),             // sizes and strides of different ranks
      Stream(huge, 0, {2}, {1}, huge, 24),          // a storage beyond the file
      Stream(huge * 4, 0, {2}, {1}, huge * 4, 24),  // one beyond memory
      Stream(6, 0, {6}, {1}, 5, 24),                // pickle and stream disagree
      Stream(6, 0, {6}, {1}, 6, 23),                // a byte is missing
      Stream(6, 0, {6}, {1}, -6, 24),
  };
  for (size_t i = 0; i < lies.size(); ++i) {
    const auto checkpoint = ReadBytes(lies[i]);
    EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kDataLoss) << i << checkpoint.status();
  }
}
TEST_F(Lies, AnUnfoldedTensorIsBounded) {
  const auto checkpoint = ReadBytes(Stream(1, 0, {int64_t{1} << 40}, {0}, 1, 4));
  EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kResourceExhausted) << checkpoint.status();
}
TEST_F(Lies, NestingIsBounded) {
  std::string deep = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.") + "\x80\x02" + Int(1001) +
                     "." + "\x80\x02}." + "\x80\x02";
  for (int i = 0; i < 100000; ++i) deep += "]";
  for (int i = 0; i < 99999; ++i) deep += "a";
  EXPECT_FALSE(ReadBytes(deep + ".\x80\x02].").ok());
}

}  // namespace
}  // namespace slipway
