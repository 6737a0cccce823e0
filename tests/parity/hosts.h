// What the tests of judges share: hosts, scratch folders, models made by a short Python text.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "common/base/file.h"
#include "convert/runtimes/runtime.h"

namespace slipway {

inline std::string TestPython() {
  const char* python = std::getenv("SLIPWAY_PYTHON");
  return python == nullptr ? "" : python;
}

class HostsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(TestPython().empty()) << "SLIPWAY_PYTHON names no interpreter";
    auto folder = TemporaryFolder::Create(TemporaryFolder::ShortParent(), "parity-");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = std::make_unique<TemporaryFolder>(*std::move(folder));
    hosts_ = SpawningHosts(TestPython(), folder_->path());
  }
  void TearDown() override {
    hosts_.reset();
    folder_.reset();
  }
  // Runs Python with the scratch folder as its working folder.
  void RunPython(const std::string& text) {
    const std::filesystem::path script = folder_->path() / "script.py";
    ASSERT_TRUE(WriteFileAtomically(script, text).ok());
    const std::string log = (folder_->path() / "log").string();
    const std::string command =
        "cd " + folder_->path().string() + " && " + TestPython() + " script.py >" + log + " 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << ReadFile(log).value_or("");
  }
  const std::filesystem::path& folder() const { return folder_->path(); }

  std::unique_ptr<TemporaryFolder> folder_;
  std::unique_ptr<HostProvider> hosts_;
};

}  // namespace slipway
