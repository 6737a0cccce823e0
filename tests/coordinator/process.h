// The program slipway-coordinator, as a process of its own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/base/file.h"

extern char** environ;

namespace slipway {

// With stdout and stderr together, and descriptor 3 for the ready line, in pipes.
class Process {
 public:
  explicit Process(const std::vector<std::string>& flags, std::vector<std::string> environment = {}) {
    int output[2], ready[2];
    EXPECT_EQ(pipe2(output, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    output_.Reset(output[0]);
    ready_.Reset(ready[0]);
    const UniqueFd output_end(output[1]), ready_end(ready[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    posix_spawn_file_actions_adddup2(&actions, output[1], 2);
    // Above all pipes, so that none is overwritten.
    posix_spawn_file_actions_adddup2(&actions, ready[1], kReadyFd);
    std::vector<std::string> arguments{"slipway-coordinator"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    std::vector<char*> argv, envp;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    for (char** variable = environ; *variable != nullptr; ++variable) envp.push_back(*variable);
    for (std::string& variable : environment) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, SLIPWAY_BIN_DIR "/slipway-coordinator", &actions, nullptr, argv.data(), envp.data()),
              0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ > 0) Kill(SIGKILL);
  }

  pid_t pid() const { return pid_; }
  // All of the ready descriptor, until it is closed.
  std::string Ready() { return ReadAll(ready_.get()); }
  std::string Output() { return ReadAll(output_.get()); }
  // The output up to and with `text`, or all of it, or what came before 30 s of silence.
  std::string OutputUpTo(std::string_view text) {
    std::string output;
    pollfd more{output_.get(), POLLIN, 0};
    for (char byte;
         output.find(text) == std::string::npos && poll(&more, 1, 30'000) == 1 && read(output_.get(), &byte, 1) == 1;)
      output += byte;
    return output;
  }
  // The exit code, or minus the signal that ended it.
  int Kill(int signal) {
    kill(pid_, signal);
    return Wait();
  }
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  static constexpr int kReadyFd = 100;

 private:
  static std::string ReadAll(int fd) {
    std::string text;
    char buffer[4096];
    for (ssize_t n = read(fd, buffer, sizeof(buffer)); n > 0; n = read(fd, buffer, sizeof(buffer))) {
      text.append(buffer, n);
    }
    return text;
  }
  pid_t pid_ = -1;
  UniqueFd output_, ready_;
};

}  // namespace slipway
