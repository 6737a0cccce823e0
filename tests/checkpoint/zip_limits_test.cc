// Archives that are small and want much: more entries than any checkpoint has, entries on top of each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "convert/import/checkpoint/zip.h"

namespace slipway {
namespace {

using testing::HasSubstr;

// Little-endian fields, as APPNOTE.TXT 6.3.10 lists them.
class Bytes {
 public:
  Bytes& Put(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
    return *this;
  }
  std::string text;
};

struct Entry {
  std::string name;
  uint64_t offset;
  uint32_t bytes;
};

// A stored entry's local header and bytes; checksums are zero, nobody asks for them here.
std::string Local(const std::string& name, const std::string& data) {
  Bytes local;
  local.Put(0x04034b50, 4).Put(20, 2).Put(0, 2).Put(0, 2).Put(0, 4).Put(0, 4).Put(data.size(), 4).Put(data.size(), 4);
  return local.Put(name.size(), 2).Put(0, 2).text + name + data;
}

// `claimed` entries by the end record, in zip64's form.
std::string Archive(std::string locals, const std::vector<Entry>& entries, uint64_t claimed) {
  const uint64_t directory = locals.size();
  for (const Entry& entry : entries) {
    Bytes central;
    central.Put(0x02014b50, 4).Put(20, 2).Put(20, 2).Put(0, 2).Put(0, 2).Put(0, 4).Put(0, 4);
    central.Put(entry.bytes, 4).Put(entry.bytes, 4).Put(entry.name.size(), 2).Put(0, 2).Put(0, 2).Put(0, 2).Put(0, 2);
    locals += central.Put(0, 4).Put(entry.offset, 4).text + entry.name;
  }
  const uint64_t end64 = locals.size();
  Bytes end;
  end.Put(0x06064b50, 4).Put(44, 8).Put(45, 2).Put(45, 2).Put(0, 4).Put(0, 4).Put(claimed, 8).Put(claimed, 8);
  end.Put(end64 - directory, 8).Put(directory, 8);
  end.Put(0x07064b50, 4).Put(0, 4).Put(end64, 8).Put(1, 4);
  end.Put(0x06054b50, 4)
      .Put(0, 2)
      .Put(0, 2)
      .Put(0xffff, 2)
      .Put(0xffff, 2)
      .Put(0xffffffff, 4)
      .Put(0xffffffff, 4)
      .Put(0, 2);
  return locals + end.text;
}

absl::StatusOr<ZipReader> Open(const std::string& archive) {
  return ZipReader::Open(std::as_bytes(std::span(archive)));
}

TEST(ZipLimits, EntriesLieBesideEachOther) {
  const std::string data(1000, 'x');
  const std::string one = Local("a", data), two = one + Local("b", data);
  const auto apart = Archive(two, {{"a", 0, 1000}, {"b", one.size(), 1000}}, 2);
  const auto opened = Open(apart);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->Read("b")->size(), 1000u);

  const auto shared = Archive(one, {{"a", 0, 1000}, {"b", 0, 1000}, {"c", 0, 1000}}, 3);
  const absl::Status refused = Open(shared).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(Message(refused), HasSubstr("its entries have more than the"));
}

TEST(ZipLimits, NoMoreEntriesThanAnyCheckpointHas) {
  std::vector<Entry> entries;
  for (int i = 0; i < 100'000; ++i) entries.push_back({std::to_string(i), 0, 0});
  const auto most = Open(Archive("", entries, entries.size()));
  ASSERT_TRUE(most.ok()) << most.status();
  EXPECT_EQ(most->entries().size(), 100'000u);

  entries.push_back({"one more", 0, 0});
  const absl::Status refused = Open(Archive("", entries, entries.size())).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_EQ(KindOf(refused), ErrorKind::kModel);
  EXPECT_THAT(Message(refused), HasSubstr("100001 entries"));
  // Nothing is made of what is only claimed.
  EXPECT_TRUE(absl::IsInvalidArgument(Open(Archive("", {}, uint64_t{1} << 60)).status()));
}

}  // namespace
}  // namespace slipway
