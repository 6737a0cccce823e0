// Real runtimes for tests.
#pragma once

#include <cstdlib>
#include <memory>

#include "common/base/file.h"
#include "convert/runtimes/runtime.h"

namespace slipway::testing {

// Hosts of the runtimes, started once for all tests of the binary.
inline HostProvider& Hosts() {
  static const TemporaryFolder scratch = [] {
    auto folder = TemporaryFolder::Create("/tmp", "slipway-graph-test-");
    if (!folder.ok()) std::abort();
    return *std::move(folder);
  }();
  static const std::unique_ptr<HostProvider> hosts = [] {
    const char* python = std::getenv("SLIPWAY_PYTHON");
    return SpawningHosts(python != nullptr ? python : "SLIPWAY_PYTHON is not set", scratch.path());
  }();
  return *hosts;
}

}  // namespace slipway::testing
