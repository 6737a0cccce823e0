// A farm whose blobs lie in a bucket: coordinator, worker and client as real processes, rclone as the S3 server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/store/layout.h"
#include "common/store/s3/client.h"
#include "tests/client/command.h"
#include "tests/support/redis.h"
#include "tests/support/s3_server.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class S3FarmTest : public testing::Test {
 protected:
  S3FarmTest() {
    const std::string bin = SLIPWAY_BIN_DIR;
    coordinator_ = box_.StartProgram(bin + "/slipway-coordinator",
                                     {"--redis", redis_.address(), "--store", s3_.url(), "--listen", server()},
                                     S3Server::environment());
    worker_ = box_.StartProgram(
        bin + "/slipway-worker",
        {"--redis", redis_.address(), "--store", s3_.url(), "--store-cache", cache().string(), "--slots", "2"},
        S3Server::environment());
    EXPECT_TRUE(Eventually([&] {
      return box_.Run({"doctor", "--server", server()}).out.find("1 worker") != std::string::npos;
    })) << coordinator_->ErrorsSoFar()
        << worker_->ErrorsSoFar();
  }
  ~S3FarmTest() override {
    for (const auto* process : {worker_.get(), coordinator_.get()}) process->Signal(SIGTERM);
    EXPECT_EQ(worker_->Wait().code, 0);
    EXPECT_EQ(coordinator_->Wait().code, 0);
  }
  std::string server() const { return "unix:" + (box_.work() / "api.sock").string(); }
  fs::path cache() const { return box_.work() / "cache"; }
  // Sizes and names of the bucket's blobs.
  std::vector<NamedBlob> Blobs() {
    std::vector<NamedBlob> blobs;
    s3::Client client(s3_.options(), S3Server::credentials());
    EXPECT_TRUE(client
                    .List("farm/t/",
                          [&](const s3::Object& object) {
                            const auto blob = ParseBlobKey(std::string_view(object.key).substr(5));
                            if (blob) blobs.push_back(*blob);
                            return absl::OkStatus();
                          })
                    .ok());
    return blobs;
  }

  S3Server s3_;
  RedisServer redis_;
  Sandbox box_;
  std::unique_ptr<Running> coordinator_, worker_;
};

TEST_F(S3FarmTest, AnExportGoesThroughTheBucket) {
  const Ended ended = box_.Run({"export", "mtcnn-pnet@" + Weights("pnet"), "--target", "onnx,ncnn", "--json"},
                               {{"SLIPWAY_SERVER", server()}, {"PATH", "/nonexistent"}});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err << worker_->ErrorsSoFar();
  EXPECT_EQ(box_.Run({"verify", "exports"}).code, 0);
  // Weights, artifacts and all else is in the bucket; what the worker opened is in its cache too.
  const Digest weights = Digest::Of(ReadAll(Weights("pnet"))),
               artifact = Digest::Of(ReadAll(box_.work() / "exports/pnet/onnx-fp32/pnet.onnx"));
  int found = 0;
  for (const NamedBlob& blob : Blobs()) {
    EXPECT_EQ(blob.tenant, "default");
    found += blob.digest == weights || blob.digest == artifact;
  }
  EXPECT_EQ(found, 2);
  EXPECT_TRUE(fs::exists(cache() / BlobKey("default", weights)));
}

// What parses a user's bytes gets no key to the store.
TEST_F(S3FarmTest, ProcessesThatConvertHaveNoCredentials) {
  const std::string secret = S3Server::credentials().secret_key;
  const auto environment = [](pid_t pid) { return ReadAll(fmt::format("/proc/{}/environ", pid)); };
  EXPECT_THAT(environment(worker_->pid()), HasSubstr(secret));  // the daemon itself needs it
  int children = 0;
  for (const pid_t pid : box_.Processes("slipway-worker")) {
    if (pid == worker_->pid()) continue;
    ++children;
    EXPECT_THAT(environment(pid), Not(HasSubstr(secret)));
  }
  EXPECT_GE(children, 3);  // the zygote and a child for each slot
}

}  // namespace
}  // namespace slipway
