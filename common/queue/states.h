// The letters by which Redis keeps states (lua/task.lua).
#pragma once

#include "common/queue/queue.h"

namespace slipway {

char Letter(TaskState state);
std::optional<TaskState> TaskStateOf(char letter);
std::optional<RequestState> RequestStateOf(char letter);

}  // namespace slipway
