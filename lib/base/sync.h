// SPDX-License-Identifier: MIT
//
// A mutex that clang's -Wthread-safety understands. Members marked GUARDED_BY(mutex_) can be
// touched only while it is held. Functions marked REQUIRES(mutex_) can be called only while it is
// held.
// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once

#include <mutex>

#if defined(__clang__)
#define LETTERBOX_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define LETTERBOX_THREAD_ANNOTATION(x)
#endif

#define GUARDED_BY(m) LETTERBOX_THREAD_ANNOTATION(guarded_by(m))
#define REQUIRES(...) LETTERBOX_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) LETTERBOX_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace letterbox {

class LETTERBOX_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() LETTERBOX_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() LETTERBOX_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class LETTERBOX_THREAD_ANNOTATION(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) LETTERBOX_THREAD_ANNOTATION(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }
  ~Lock() LETTERBOX_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace letterbox
