// A farm that stands beside the client: redis-server, coordinator and a worker of two slots.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>

#include "tests/client/command.h"
#include "tests/support/redis.h"

namespace slipway {

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    const std::string bin = SLIPWAY_BIN_DIR;
    const std::string store = (box_.work() / "store").string();
    coordinator_ = box_.StartProgram(bin + "/slipway-coordinator",
                                     {"--redis", redis_.address(), "--store", store, "--listen", server()});
    worker_ =
        box_.StartProgram(bin + "/slipway-worker", {"--redis", redis_.address(), "--store", store, "--slots", "2"});
    EXPECT_TRUE(Eventually([&] {
      return box_.Run({"doctor", "--server", server()}).out.find("1 worker") != std::string::npos;
    }));
  }
  ~ServerTest() override {
    for (const auto* process : {worker_.get(), coordinator_.get()}) process->Signal(SIGTERM);
    EXPECT_EQ(worker_->Wait().code, 0);
    EXPECT_EQ(coordinator_->Wait().code, 0);
  }
  std::string server() const { return "unix:" + (box_.work() / "api.sock").string(); }

  RedisServer redis_;
  Sandbox box_;
  std::unique_ptr<Running> coordinator_, worker_;
};

}  // namespace slipway
