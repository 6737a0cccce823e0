// Where an installed program finds what belongs to it.
#pragma once

#include <filesystem>
#include <string>

namespace slipway {

// The folder of this process' binary; "." if the system does not say.
std::filesystem::path OwnFolder();

// The interpreter that has the judges' runtimes: of the environment that slipway-runtimes made (bin/../lib/slipway/venv), else of
// the source tree's (.venv beside build/), else "python3".
std::string DefaultPython();

}  // namespace slipway
