// Each case runs in a process of its own that enters the jail and tries things.
#include "worker/jail/jail.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "common/base/file.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class JailTest : public testing::Test {
 protected:
  JailTest() : folder_(*TemporaryFolder::Create(TemporaryFolder::ShortParent(), "jail-")) {
    fs::create_directory(folder_.path() / "scratch");
    fs::create_directory(folder_.path() / "inputs");
    fs::create_directory(folder_.path() / "private");
    std::ofstream(folder_.path() / "inputs" / "model.onnx") << "model";
    std::ofstream(folder_.path() / "private" / "secret") << "secret";
    options_.writable = folder_.path() / "scratch";
  }

  // Exit code of `inmate`, run in the jail; 200: could not enter.
  int Run(const std::function<int()>& inmate) { return WEXITSTATUS(Status(inmate)); }
  int Status(const std::function<int()>& inmate) {
    const pid_t pid = fork();
    if (pid == 0) {
      const auto level = EnterJail(options_);
      if (!level.ok() || *level != JailLevel::kPartial) _exit(200);
      _exit(inmate());
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
  }

  TemporaryFolder folder_;
  JailOptions options_;
};

// Exit codes are errno values; 0: it worked.
int Result(long result) { return result < 0 ? errno : 0; }

TEST_F(JailTest, HasNoSockets) {
  EXPECT_EQ(Run([] { return Result(socket(AF_INET, SOCK_STREAM, 0)); }), EPERM);
  EXPECT_EQ(Run([] { return Result(socket(AF_UNIX, SOCK_STREAM, 0)); }), EPERM);
  EXPECT_EQ(Run([] { return Result(socket(AF_NETLINK, SOCK_RAW, 0)); }), EPERM);
  EXPECT_EQ(Run([] {
              int ends[2];
              return Result(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
            }),
            EPERM);
}

TEST_F(JailTest, CannotConnectAnInheritedSocketToAnyone) {
  // A server of the same user, as Redis or a desktop's bus would be.
  sockaddr_un address{AF_UNIX, {}};
  const std::string path = (folder_.path() / "scratch" / "server.sock").string();
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(server.get(), 1), 0);
  UniqueFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(Run([&] { return Result(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address))); }),
            EPERM);
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0)
      << "the server itself is sound";
}

TEST_F(JailTest, ReadsOnlyWhatItWasGiven) {
  EXPECT_EQ(Run([] { return Result(open("/etc/passwd", O_RDONLY)); }), EACCES);
  const fs::path secret = folder_.path() / "private" / "secret", model = folder_.path() / "inputs" / "model.onnx";
  options_.readable = {folder_.path() / "inputs", "/nowhere/at/all"};
  EXPECT_EQ(Run([&] { return Result(open(secret.c_str(), O_RDONLY)); }), EACCES);
  EXPECT_EQ(Run([&] { return Result(open(model.c_str(), O_RDONLY)); }), 0);
  EXPECT_EQ(Run([&] { return Result(open(model.c_str(), O_RDWR)); }), EACCES);
  EXPECT_EQ(Run([&] { return Result(truncate(model.c_str(), 0)); }), EACCES);
  EXPECT_EQ(Run([&] { return Result(chmod(model.c_str(), 0777)); }), EPERM);
}

TEST_F(JailTest, OpensByNameWhereItMayNotList) {
  options_.openable = {folder_.path() / "inputs"};
  const fs::path model = folder_.path() / "inputs" / "model.onnx";
  EXPECT_EQ(Run([&] { return Result(open(model.c_str(), O_RDONLY)); }), 0);
  EXPECT_EQ(Run([&] { return Result(open(model.parent_path().c_str(), O_RDONLY | O_DIRECTORY)); }), EACCES);
}

TEST_F(JailTest, WritesOnlyToScratch) {
  const fs::path scratch = options_.writable;
  EXPECT_EQ(Run([&] { return Result(open((folder_.path() / "new").c_str(), O_CREAT | O_WRONLY, 0600)); }), EACCES);
  EXPECT_EQ(Run([&] { return Result(unlink((folder_.path() / "private" / "secret").c_str())); }), EACCES);
  EXPECT_EQ(Run([&] {
              fs::create_directories(scratch / "artifact" / "Data");
              std::ofstream(scratch / "artifact" / "a") << "weights";
              fs::rename(scratch / "artifact" / "a", scratch / "artifact" / "Data" / "b");
              const bool whole = fs::file_size(scratch / "artifact" / "Data" / "b") == 7;
              fs::remove_all(scratch / "artifact");
              return whole && fs::is_empty(scratch) ? 0 : 1;
            }),
            0);
}

TEST_F(JailTest, MakesNoLinksOrSpecialFiles) {
  const fs::path link = options_.writable / "link";
  EXPECT_EQ(Run([&] { return Result(symlink("/etc/passwd", link.c_str())); }), EACCES);
  EXPECT_EQ(Run([&] { return Result(::link((folder_.path() / "private" / "secret").c_str(), link.c_str())); }), EXDEV);
  EXPECT_EQ(Run([&] { return Result(mkfifo(link.c_str(), 0600)); }), EACCES);
  EXPECT_TRUE(fs::is_empty(options_.writable));
}

TEST_F(JailTest, TouchesNoOtherProcess) {
  const pid_t parent = getpid();
  EXPECT_EQ(Run([] { return Result(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }), EPERM);
  EXPECT_EQ(Run([&] { return Result(kill(parent, 0)); }), EPERM);
  EXPECT_EQ(Run([&] { return Result(syscall(SYS_pidfd_open, parent, 0)); }), EPERM);
  EXPECT_EQ(Run([&] {
              rlimit limit{};
              return Result(prlimit(parent, RLIMIT_NOFILE, nullptr, &limit));
            }),
            EPERM);
  EXPECT_EQ(Run([] { return Result(fork()); }), EPERM);
  EXPECT_EQ(Run([] { return Result(setsid()); }), EPERM);
}

TEST_F(JailTest, GainsNothing) {
  EXPECT_EQ(Run([] { return Result(unshare(CLONE_NEWUSER)); }), EPERM);
  EXPECT_EQ(Run([] { return Result(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr)); }), EPERM);
  EXPECT_EQ(Run([] { return Result(syscall(SYS_bpf, 0, nullptr, 0)); }), EPERM);
  EXPECT_EQ(Run([] { return Result(syscall(SYS_io_uring_setup, 1, nullptr)); }), EPERM);
  EXPECT_EQ(Run([] { return Result(syscall(SYS_keyctl, 0, 0, 0, 0, 0)); }), EPERM);
  EXPECT_EQ(Run([] { return Result(prctl(PR_SET_PDEATHSIG, 0)); }), EPERM);
  EXPECT_EQ(Run([] { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1; }), 0);
  EXPECT_EQ(Run([] {
              rlimit core{};
              getrlimit(RLIMIT_CORE, &core);
              return core.rlim_max == 0 ? 0 : 1;
            }),
            0);
}

TEST_F(JailTest, ExecutesOnlyWhenItMay) {
  char* const argv[] = {const_cast<char*>("true"), nullptr};
  options_.readable = {"/usr", "/lib", "/lib64", "/etc/ld.so.cache"};
  EXPECT_EQ(Run([&] { return Result(execv("/usr/bin/true", argv)); }), EPERM);
  options_.may_exec = true;
  EXPECT_EQ(Run([&] { return Result(execv("/usr/bin/true", argv)); }), 0);
  options_.readable = {"/lib", "/lib64", "/etc/ld.so.cache"};
  EXPECT_EQ(Run([&] { return Result(execv("/usr/bin/env", argv)); }), EACCES);
}

TEST_F(JailTest, LeavesThreadsAndAbortAlone) {
  EXPECT_EQ(Run([] {
              int answer = 1;
              std::thread([&] { answer = 0; }).join();
              return answer;
            }),
            0);
  const int status = Status([]() -> int { abort(); });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
}

TEST_F(JailTest, LimitsMemoryWhenAsked) {
  options_.max_memory = 1ull << 30;
  EXPECT_EQ(Run([] { return ::operator new (size_t{2} << 30, std::nothrow) == nullptr ? 0 : 1; }), 0);
  EXPECT_EQ(Run([] { return ::operator new (size_t{1} << 29, std::nothrow) != nullptr ? 0 : 1; }), 0);
  // A model of any size can be mapped.
  const UniqueFd large(open((options_.writable / "large").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(large.get(), off_t{3} << 30), 0);
  EXPECT_EQ(Run([&] {
              const auto file = MappedFile::Map(large.get(), "large");
              return file.ok() && (*file)->bytes().size() == size_t{3} << 30 ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace slipway
