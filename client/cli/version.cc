// slipway version.
#include <cstdio>

#include "client/cli/outcome.h"
#include "client/cli/verb.h"

namespace slipway::cli {

int RunVersion(const Settings&, const Arguments&) {
  std::puts("slipway " SLIPWAY_VERSION);
  return kExitOk;
}

}  // namespace slipway::cli
