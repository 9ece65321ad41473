// SPDX-License-Identifier: MIT
//
// The outcome of what may be expected to fail: a T, or an E that says why there is none.
// A plain value without locks; made implicitly from either of its two sides, so that a function
// simply returns what it has. Asking for the side that is not there throws
// std::bad_variant_access: it is a mistake in the program, never an outcome.
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace letterbox {

// A U that is meant for Side alone: neither for the other side nor a copy of the whole.
template <class U, class Side, class Other, class Whole>
concept Becomes = std::convertible_to<U, Side> && !std::convertible_to<U, Other> &&
                  !std::same_as<std::remove_cvref_t<U>, Whole>;

// Made implicitly from either side on purpose; the concept keeps copies and moves out.
// NOLINTBEGIN(google-explicit-constructor, bugprone-forwarding-reference-overload)

template <class T, class E>
class [[nodiscard]] Result {
  static_assert(!std::same_as<T, E>, "value and error must differ in type");

 public:
  template <Becomes<T, E, Result> U>
  Result(U&& value) : side_(std::in_place_index<0>, std::forward<U>(value)) {}

  template <Becomes<E, T, Result> U>
  Result(U&& error) : side_(std::in_place_index<1>, std::forward<U>(error)) {}

  explicit operator bool() const { return side_.index() == 0; }

  T& value() & { return std::get<0>(side_); }
  const T& value() const& { return std::get<0>(side_); }
  T&& value() && { return std::get<0>(std::move(side_)); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  E& error() & { return std::get<1>(side_); }
  const E& error() const& { return std::get<1>(side_); }
  E&& error() && { return std::get<1>(std::move(side_)); }

 private:
  std::variant<T, E> side_;
};

// An outcome with nothing to hand over: done (`return {};`), or an E that says why not.
template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;

  template <Becomes<E, void, Result> U>
  Result(U&& error) : error_(std::in_place, std::forward<U>(error)) {}

  explicit operator bool() const { return !error_.has_value(); }

  E& error() & { return error_.value(); }
  const E& error() const& { return error_.value(); }
  E&& error() && { return std::move(error_).value(); }

 private:
  std::optional<E> error_;
};

// NOLINTEND(google-explicit-constructor, bugprone-forwarding-reference-overload)

}  // namespace letterbox
