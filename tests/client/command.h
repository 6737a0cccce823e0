// The real slipway binary, run as a user would, in a sandbox that shows whatever it leaves behind.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/file.h"

namespace slipway {

struct Ended {
  int code = -1;  // exit code; -1: ended by a signal
  int signal = 0;
  std::string out, err;
};

using Environment = std::map<std::string, std::string>;

// A run under way.
class Running {
 public:
  Running(pid_t pid, std::filesystem::path output) : pid_(pid), output_(std::move(output)) {}
  Running(const Running&) = delete;
  ~Running();
  pid_t pid() const { return pid_; }
  void Signal(int number) const;
  Ended Wait();
  std::string OutputSoFar() const;
  std::string ErrorsSoFar() const;

 private:
  pid_t pid_;
  std::filesystem::path output_;
};

class Sandbox {
 public:
  Sandbox();
  ~Sandbox();

  // The working folder of commands.
  std::filesystem::path work() const { return folder_.path() / "work"; }
  std::filesystem::path File(const std::string& name, const std::string& content) const;  // in work(), folders made

  Ended Run(const std::vector<std::string>& arguments, const Environment& environment = {});
  std::unique_ptr<Running> Start(const std::vector<std::string>& arguments, const Environment& environment = {});
  // Any program, in the background, with the sandbox's environment.
  std::unique_ptr<Running> StartProgram(const std::string& program, const std::vector<std::string>& arguments,
                                        const Environment& environment = {});
  // On a terminal of 80 columns; `out` is all that the terminal got.
  Ended RunOnTerminal(const std::vector<std::string>& arguments, const Environment& environment = {});

  // Processes and temporary files of runs in this sandbox, one line each.
  std::vector<std::string> Leftovers() const;
  // Pids of the sandbox's processes that run this binary; "": of all.
  std::vector<pid_t> Processes(const std::string& binary) const;
  // Whether an embedded farm's coordinator listens.
  bool FarmIsUp() const;

 private:
  pid_t Spawn(const std::string& program, const std::vector<std::string>& arguments, const Environment& environment,
              int out, int err);
  TemporaryFolder folder_;
  int runs_ = 0;
};

// A file system of `kilobytes` mounted on `folder`, which is made. The test needs to be root.
class SmallDisk {
 public:
  SmallDisk(const std::filesystem::path& folder, int kilobytes);
  ~SmallDisk();

 private:
  std::filesystem::path folder_;
};

// Polls until `condition` holds; false after a minute.
bool Eventually(const std::function<bool()>& condition);

std::string Slipway();                        // path of the binary under test
std::string Weights(const std::string& net);  // "pnet" → its trained state dict (SLIPWAY_MTCNN)
std::string ReadAll(const std::filesystem::path& path);

// What the manifest's schema says against a manifest; empty: nothing.
std::vector<std::string> SchemaErrors(const std::string& manifest);

}  // namespace slipway
