// .npz files that NumPy wrote, .safetensors files written by hand, and bad ones of both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/random.h"
#include "convert/import/checkpoint/checkpoint.h"
#include "tests/support/torch_fixture.h"

namespace slipway {
namespace {

using ::testing::HasSubstr;

const slipway::testing::TorchOutput& Written() {
  static const auto* const output = new slipway::testing::TorchOutput("array_files.py", "SLIPWAY_PYTHON", {});
  return *output;
}

absl::StatusOr<Checkpoint> ReadBytes(std::string_view bytes) {
  ASSIGN_OR_RETURN(const UniqueFd fd, SealedMemory("weights", std::as_bytes(std::span(bytes))));
  ASSIGN_OR_RETURN(auto file, MappedFile::Map(fd.get(), "weights"));
  return ReadCheckpoint(std::move(file));
}

absl::StatusOr<Checkpoint> Read(const std::string& name) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(Written().folder() / name));
  return ReadBytes(bytes);
}

void ExpectTensors(const std::string& name, const std::string& format, const nlohmann::json& expected) {
  SCOPED_TRACE(name);
  const auto checkpoint = Read(name);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->format, format);
  ASSERT_EQ(checkpoint->tensors.size(), expected.size());
  ASSERT_GE(expected.size(), 15u);
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(expected[i].dump());
    EXPECT_EQ(checkpoint->tensors[i].name, expected[i].at("name"));
    EXPECT_TRUE(checkpoint->tensors[i].tensor.SameBytes(Written().Read(expected[i])));
  }
}

TEST(Npz, ReadsWhatNumpyWrote) {
  for (const char* name : {"stored.npz", "deflated.npz", "version1.npz", "version2.npz", "version3.npz"})
    ExpectTensors(name, "npz", Written().index().at("arrays"));
}

TEST(Safetensors, ReadsEveryDtypeInTheOrderOfTheBytes) {
  for (const char* name : {"good.safetensors", "padded.safetensors"})
    ExpectTensors(name, "safetensors", Written().index().at("safetensors"));
}

TEST(ArrayFiles, StoredTensorsAreViewsOfTheFile) {
  for (const char* name : {"stored.npz", "good.safetensors"}) {
    const auto file = MappedFile::Open(Written().folder() / name).value();
    const auto checkpoint = ReadCheckpoint(file);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    size_t views = 0;
    for (const NamedTensor& named : checkpoint->tensors) {
      const std::byte* const data = named.tensor.bytes().data();
      if (named.name.starts_with("fortran") || named.tensor.size() == 0) continue;
      EXPECT_TRUE(data >= file->bytes().data() && data < file->bytes().data() + file->bytes().size()) << named.name;
      ++views;
    }
    EXPECT_GE(views, 13u);
  }
}

TEST(ArrayFiles, BadOnesAreRefusedByWhatIsWrong) {
  ASSERT_GE(Written().index().at("bad").size(), 60u);
  for (const auto& [name, expected] : Written().index().at("bad").items()) {
    SCOPED_TRACE(name);
    const auto checkpoint = Read(name);
    ASSERT_FALSE(checkpoint.ok());
    EXPECT_EQ(absl::StatusCodeToString(checkpoint.status().code()), expected.at("code").get<std::string>());
    EXPECT_THAT(Message(checkpoint.status()), HasSubstr(expected.at("why").get<std::string>()));
  }
}

TEST(ArrayFiles, EveryCutIsRefused) {
  for (const char* name : {"one.npz", "one-deflated.npz", "good.safetensors"}) {
    const std::string whole = ReadFile(Written().folder() / name).value();
    for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 500)
      EXPECT_FALSE(ReadBytes(std::string_view(whole).substr(0, size)).ok()) << name << " cut to " << size;
  }
}

// Any bytes may be wrong: an error or tensors within the file, never a crash; sanitizers watch.
TEST(ArrayFiles, ChangedBytesNeverCrash) {
  Random random(11);
  int refused = 0;
  for (const char* name : {"one.npz", "one-deflated.npz", "good.safetensors"}) {
    const std::string whole = ReadFile(Written().folder() / name).value();
    for (int round = 0; round < 500; ++round) {
      std::string changed = whole;
      for (int i = 0; i < 3; ++i) changed[random.Next() % changed.size()] = static_cast<char>(random.Next());
      const auto checkpoint = ReadBytes(changed);
      refused += checkpoint.ok() ? 0 : 1;
      if (!checkpoint.ok()) continue;
      for (const NamedTensor& named : checkpoint->tensors) EXPECT_GE(named.tensor.ToDoubles().size(), 0u);
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace slipway
