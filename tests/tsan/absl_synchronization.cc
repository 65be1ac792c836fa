// Tells the thread sanitizer what Debian's libabsl_synchronization does.
//
// That library is built without the sanitizer, so the order which its locks make is invisible, and
// everything that an absl::Mutex guards looks like a race. The linker sends our calls through these
// wrappers (--wrap, see tests/tsan/CMakeLists.txt), which declare the order: what a thread did
// before it let go of a lock happened before what the next holder does.
//
// Reads inside the library are ignored: it evaluates a waiter's absl::Condition while another
// thread lets go of the lock, after that release was declared.

#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" {

// Of the sanitizer's run-time library; no header declares them.
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);

#define HOMEPORT_WRAP(result, name, ...) \
  result __real_##name(__VA_ARGS__);     \
  result __wrap_##name(__VA_ARGS__)

}  // extern "C"

namespace {

using ::absl::BlockingCounter;
using ::absl::Condition;
using ::absl::CondVar;
using ::absl::Duration;
using ::absl::Mutex;
using ::absl::Notification;
using ::absl::Time;

class InsideLibrary {
 public:
  InsideLibrary() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~InsideLibrary() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

// Calls what may let go of `lock` and take it again.
template <typename Call>
auto Around(void* lock, Call call) {
  __tsan_release(lock);
  const auto result = [&] {
    InsideLibrary inside;
    return call();
  }();
  __tsan_acquire(lock);
  return result;
}

void* Address(const void* object) { return const_cast<void*>(object); }

}  // namespace

extern "C" {

HOMEPORT_WRAP(void, _ZN4absl7debian35Mutex4LockEv, Mutex* mutex) {
  __real__ZN4absl7debian35Mutex4LockEv(mutex);
  __tsan_acquire(mutex);
}

HOMEPORT_WRAP(void, _ZN4absl7debian35Mutex10ReaderLockEv, Mutex* mutex) {
  __real__ZN4absl7debian35Mutex10ReaderLockEv(mutex);
  __tsan_acquire(mutex);
}

HOMEPORT_WRAP(bool, _ZN4absl7debian35Mutex7TryLockEv, Mutex* mutex) {
  const bool held = __real__ZN4absl7debian35Mutex7TryLockEv(mutex);
  if (held) __tsan_acquire(mutex);
  return held;
}

HOMEPORT_WRAP(void, _ZN4absl7debian35Mutex6UnlockEv, Mutex* mutex) {
  __tsan_release(mutex);
  InsideLibrary inside;
  __real__ZN4absl7debian35Mutex6UnlockEv(mutex);
}

HOMEPORT_WRAP(void, _ZN4absl7debian35Mutex12ReaderUnlockEv, Mutex* mutex) {
  __tsan_release(mutex);
  InsideLibrary inside;
  __real__ZN4absl7debian35Mutex12ReaderUnlockEv(mutex);
}

HOMEPORT_WRAP(void, _ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE, Mutex* mutex,
              const Condition& condition) {
  {
    InsideLibrary inside;
    __real__ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE(mutex, condition);
  }
  __tsan_acquire(mutex);
}

HOMEPORT_WRAP(void, _ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE, Mutex* mutex,
              const Condition& condition) {
  Around(mutex, [&] {
    __real__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(mutex, condition);
    return true;
  });
}

HOMEPORT_WRAP(bool, _ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE,
              Mutex* mutex, const Condition& condition, Duration timeout) {
  return Around(mutex, [&] {
    return __real__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(
        mutex, condition, timeout);
  });
}

HOMEPORT_WRAP(bool, _ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE,
              Mutex* mutex, const Condition& condition, Time deadline) {
  return Around(mutex, [&] {
    return __real__ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE(
        mutex, condition, deadline);
  });
}

HOMEPORT_WRAP(void, _ZN4absl7debian37CondVar4WaitEPNS0_5MutexE, CondVar* self, Mutex* mutex) {
  Around(mutex, [&] {
    __real__ZN4absl7debian37CondVar4WaitEPNS0_5MutexE(self, mutex);
    return true;
  });
}

HOMEPORT_WRAP(bool, _ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE,
              CondVar* self, Mutex* mutex, Duration timeout) {
  return Around(mutex, [&] {
    return __real__ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE(self, mutex,
                                                                                       timeout);
  });
}

HOMEPORT_WRAP(bool, _ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE,
              CondVar* self, Mutex* mutex, Time deadline) {
  return Around(mutex, [&] {
    return __real__ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE(self, mutex,
                                                                                    deadline);
  });
}

HOMEPORT_WRAP(void, _ZN4absl7debian312Notification6NotifyEv, Notification* self) {
  __tsan_release(self);
  // HasBeenNotified() is inline and loads the flag, which comes after the mutex.
  __tsan_release(reinterpret_cast<char*>(self) + sizeof(Mutex));
  InsideLibrary inside;
  __real__ZN4absl7debian312Notification6NotifyEv(self);
}

HOMEPORT_WRAP(void, _ZNK4absl7debian312Notification19WaitForNotificationEv,
              const Notification* self) {
  __real__ZNK4absl7debian312Notification19WaitForNotificationEv(self);
  __tsan_acquire(Address(self));
}

HOMEPORT_WRAP(bool, _ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE,
              const Notification* self, Duration timeout) {
  const bool notified =
      __real__ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE(
          self, timeout);
  if (notified) __tsan_acquire(Address(self));
  return notified;
}

HOMEPORT_WRAP(bool, _ZN4absl7debian315BlockingCounter14DecrementCountEv, BlockingCounter* self) {
  __tsan_release(self);
  InsideLibrary inside;
  return __real__ZN4absl7debian315BlockingCounter14DecrementCountEv(self);
}

HOMEPORT_WRAP(void, _ZN4absl7debian315BlockingCounter4WaitEv, BlockingCounter* self) {
  __real__ZN4absl7debian315BlockingCounter4WaitEv(self);
  __tsan_acquire(self);
}

}  // extern "C"
