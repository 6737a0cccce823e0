// Task classes: what a task needs of a worker. "any", or the runtime that judges it ("onnxruntime", "litert", "ncnn"), and
// "+8g" or "+32g" where it needs more memory than every slot has: "litert+8g". There are few: workers ask for tasks of all
// classes that they serve.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway {

inline constexpr uint64_t kGiB = uint64_t{1} << 30;
inline constexpr uint64_t kLeastTaskMemory = 2 * kGiB;  // that every worker is taken to have for a process of a task

// Of a task that needs `runtime` ("": none) and `memory` bytes for a process: the smallest class that has both, or else the
// largest there is.
std::string TaskClass(std::string_view runtime, uint64_t memory);

// The classes of a worker that has these runtimes and so much memory for a process of a task. Judging needs the reference outputs,
// which are onnxruntime's: without it the others do not count.
std::vector<std::string> ClassesOf(const std::vector<std::string>& runtimes, uint64_t memory);

// Every class.
std::vector<std::string> AllClasses();

// Whether `offered` has what `task_class` has, and more memory.
bool HasMoreMemory(std::string_view offered, std::string_view task_class);

}  // namespace slipway
