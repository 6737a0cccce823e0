// Tells ThreadSanitizer of the synchronisation that it cannot see: inside gRPC and absl, which come from packages and so are not instrumented.
// Linked into every program of the preset tsan, in front of those libraries: each function here stands before theirs, calls it, and says what is now
// ordered. Nothing is said but what the real function guarantees, so no race of ours is hidden.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <ctime>

extern "C" {
void __tsan_acquire(void* address) __attribute__((weak));
void __tsan_release(void* address) __attribute__((weak));
}

namespace {

template <typename Function>
Function* Next(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void Acquire(void* address) {
  if (__tsan_acquire != nullptr) __tsan_acquire(address);
}
void Release(void* address) {
  if (__tsan_release != nullptr) __tsan_release(address);
}

}  // namespace

#define NEXT(function, symbol) static auto* const next = Next(&function, symbol)

// --- absl's mutexes and condition variables, on which gRPC's are built
#define ABSL(name) asm("_ZN4absl7debian3" name)

extern "C" {

void MutexLock(void* mutex) ABSL("5Mutex4LockEv");
void MutexLock(void* mutex) {
  NEXT(MutexLock, "_ZN4absl7debian35Mutex4LockEv");
  next(mutex);
  Acquire(mutex);
}

bool MutexTryLock(void* mutex) ABSL("5Mutex7TryLockEv");
bool MutexTryLock(void* mutex) {
  NEXT(MutexTryLock, "_ZN4absl7debian35Mutex7TryLockEv");
  const bool locked = next(mutex);
  if (locked) Acquire(mutex);
  return locked;
}

void MutexUnlock(void* mutex) ABSL("5Mutex6UnlockEv");
void MutexUnlock(void* mutex) {
  NEXT(MutexUnlock, "_ZN4absl7debian35Mutex6UnlockEv");
  Release(mutex);
  next(mutex);
}

void Wait(void* condition, void* mutex) ABSL("7CondVar4WaitEPNS0_5MutexE");
void Wait(void* condition, void* mutex) {
  NEXT(Wait, "_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  Release(mutex);
  next(condition, mutex);
  Acquire(mutex);
}

struct AbslTime {  // absl::Duration and absl::Time
  int64_t seconds;
  uint32_t ticks;
};

bool WaitWithTimeout(void* condition, void* mutex, AbslTime timeout)
    ABSL("7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
bool WaitWithTimeout(void* condition, void* mutex, AbslTime timeout) {
  NEXT(WaitWithTimeout, "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  Release(mutex);
  const bool timed_out = next(condition, mutex, timeout);
  Acquire(mutex);
  return timed_out;
}

bool WaitWithDeadline(void* condition, void* mutex, AbslTime deadline)
    ABSL("7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
bool WaitWithDeadline(void* condition, void* mutex, AbslTime deadline) {
  NEXT(WaitWithDeadline, "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  Release(mutex);
  const bool timed_out = next(condition, mutex, deadline);
  Acquire(mutex);
  return timed_out;
}

// --- gRPC's batches: what was done before one was started is seen by whoever hears of its end
grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag, void* reserved) {
  NEXT(grpc_call_start_batch, "grpc_call_start_batch");
  Release(tag);
  return next(call, ops, count, tag, reserved);
}

// On the thread that runs the tag's callback, or before another takes it from its queue. The status is passed by address.
using Done = void(void*, void*);
void EndOp(void* queue, void* tag, void* status, Done* done, void* argument, void* storage, bool internal) asm(
    "_Z14grpc_cq_end_opP21grpc_completion_queuePvN4absl7debian36StatusEPFvS1_P18grpc_cq_completionES1_S6_b");
void EndOp(void* queue, void* tag, void* status, Done* done, void* argument, void* storage, bool internal) {
  NEXT(EndOp, "_Z14grpc_cq_end_opP21grpc_completion_queuePvN4absl7debian36StatusEPFvS1_P18grpc_cq_completionES1_S6_b");
  Acquire(tag);
  Release(tag);
  next(queue, tag, status, done, argument, storage, internal);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  NEXT(grpc_completion_queue_next, "grpc_completion_queue_next");
  const grpc_event event = next(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) Acquire(event.tag);
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  NEXT(grpc_completion_queue_pluck, "grpc_completion_queue_pluck");
  const grpc_event event = next(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) Acquire(tag);
  return event;
}

// The last of a call's reactions to end, wherever it ran, schedules OnDone; they count down an atomic, of which libgrpc++ has a copy of its own code.
constexpr size_t kOutstanding =
    12;  // ServerCallbackCall: its table, on_cancel_conditions_remaining_, callbacks_outstanding_
void ScheduleOnDone(char* call, bool inlined) asm("_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
void ScheduleOnDone(char* call, bool inlined) {
  NEXT(ScheduleOnDone, "_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
  Acquire(call + kOutstanding);
  next(call, inlined);
}

// --- what std::timed_mutex locks by, which clang 16's ThreadSanitizer does not know; it knows pthread_mutex_timedlock
int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) noexcept {
  timespec from, real;
  clock_gettime(clock, &from);
  clock_gettime(CLOCK_REALTIME, &real);
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t left = (until->tv_sec - from.tv_sec) * kSecond + until->tv_nsec - from.tv_nsec;
  const int64_t due = real.tv_sec * kSecond + real.tv_nsec + left;
  const timespec deadline{due / kSecond, due % kSecond};
  return pthread_mutex_timedlock(mutex, &deadline);
}

}  // extern "C"
