// SPDX-License-Identifier: MIT
//
// A function that is called when something has come, and is owned by one: what is called many
// times, or by several, is a std::function. Unlike std::function it takes what can only be moved,
// such as the answer that a request is owed, and it keeps what is no larger than kRoom in itself,
// so that it takes no memory of its own. As thread-safe as what it calls.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace letterbox {

template <class Signature>
class Callback;

template <class Result, class... Arguments>
class Callback<Result(Arguments...)> {
 public:
  // In bytes. Holds most callbacks: an Answer (answer.h), or the captures of a call to Redis.
  static constexpr size_t kRoom = 64;

  Callback() = default;
  // As std::function's constructor: takes all that can be called, except another Callback.
  template <class Function,
            class = std::enable_if_t<
                !std::is_same_v<std::decay_t<Function>, Callback> &&
                std::is_invocable_r_v<Result, std::decay_t<Function>&, Arguments...>>>
  Callback(Function&& function) {  // NOLINT(google-explicit-constructor)
    using Kept = std::decay_t<Function>;
    if constexpr (fits<Kept>()) {
      keep<Kept>(std::forward<Function>(function));
    } else {
      keep<Boxed<Kept>>(Boxed<Kept>{std::make_unique<Kept>(std::forward<Function>(function))});
    }
  }
  Callback(Callback&& other) noexcept { take(other); }
  Callback& operator=(Callback&& other) noexcept {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  ~Callback() { clear(); }

  explicit operator bool() const { return acts_ != nullptr; }

  // As std::function's it may change what it calls. REQUIRES: there is something to call.
  Result operator()(Arguments... arguments) const {
    assert(acts_ != nullptr);
    return acts_->call(&room_, std::forward<Arguments>(arguments)...);
  }

 private:
  // A function that is too large for room_.
  template <class Kept>
  struct Boxed {
    std::unique_ptr<Kept> kept;
    Result operator()(Arguments... arguments) {
      return (*kept)(std::forward<Arguments>(arguments)...);
    }
  };

  struct Acts {
    Result (*call)(void* room, Arguments&&... arguments);
    // Moves to raw memory, and destroys what it moved from.
    void (*move)(void* from, void* to) noexcept;
    void (*destroy)(void* room) noexcept;
  };

  template <class Kept>
  static constexpr bool fits() {
    return sizeof(Kept) <= kRoom && std::alignment_of_v<Kept> <= alignof(std::max_align_t) &&
           std::is_nothrow_move_constructible_v<Kept>;
  }

  template <class Kept>
  static Kept& kept(void* room) {
    return *std::launder(static_cast<Kept*>(room));
  }

  template <class Kept, class Function>
  void keep(Function&& function) {
    static constexpr Acts kActs{
        .call = [](void* room, Arguments&&... arguments) -> Result {
          return kept<Kept>(room)(std::forward<Arguments>(arguments)...);
        },
        .move =
            [](void* from, void* to) noexcept {
              new (to) Kept(std::move(kept<Kept>(from)));
              std::destroy_at(&kept<Kept>(from));
            },
        .destroy = [](void* room) noexcept { std::destroy_at(&kept<Kept>(room)); },
    };
    new (&room_) Kept(std::forward<Function>(function));
    acts_ = &kActs;
  }

  void take(Callback& other) noexcept {
    if (other.acts_ == nullptr) return;
    other.acts_->move(&other.room_, &room_);
    acts_ = std::exchange(other.acts_, nullptr);
  }

  void clear() noexcept {
    if (acts_ != nullptr) std::exchange(acts_, nullptr)->destroy(&room_);
  }

  alignas(std::max_align_t) mutable std::byte room_[kRoom];
  const Acts* acts_ = nullptr;  // null: empty
};

}  // namespace letterbox
