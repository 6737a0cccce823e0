// How much memory a process of a task may take.
#pragma once

#include <cstdint>

namespace slipway {

// What this process may use at most: the machine's memory, or less where a control group around it says so.
uint64_t MachineMemory();

// For each process, converter child or judge, unless --task-memory says otherwise: three quarters of `machine`, shared out among the
// slots, but 2 GiB at least (a runtime with a large model needs that; slots that all do at once are the operator's to limit).
uint64_t DefaultTaskMemory(uint64_t machine, int slots);

}  // namespace slipway
