// What a tree of processes holds in memory.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace slipway {

// Bytes of `root` and every process below it, without the file pages that they map (models, libraries, shared tensors).
// Reads one small file of /proc a process; those that end meanwhile count as nothing.
uint64_t MemoryOfTree(pid_t root);

}  // namespace slipway
