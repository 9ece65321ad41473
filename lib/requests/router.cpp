// SPDX-License-Identifier: MIT
#include "requests/router.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "requests/reply.h"

namespace letterbox {

namespace {

constexpr std::string_view kHead = "HEAD";

bool matches(std::string_view pattern, std::string_view path) {
  if (pattern.find('*') == std::string_view::npos) return pattern == path;
  if (std::count(pattern.begin(), pattern.end(), '/') !=
      std::count(path.begin(), path.end(), '/')) {
    return false;
  }
  while (!pattern.empty()) {
    const auto wanted = take_until(pattern, '/');
    const auto part = take_until(path, '/');
    if (wanted == "*" ? part.empty() : wanted != part) return false;
  }
  return true;
}

}  // namespace

void Router::add(std::string_view method, std::string_view path, Handler handler, Head head) {
  routes_.push_back({method, path, handler});
  if (method == "GET" && head == Head::like_get) {
    routes_.push_back({kHead, path, std::move(handler)});
  }
}

const StatusCounts* Router::counts(std::string_view method, std::string_view path) const {
  const auto found = std::find_if(routes_.begin(), routes_.end(), [&](const Route& route) {
    return route.method == method && route.path == path;
  });
  return found != routes_.end() ? found->counts.get() : nullptr;
}

const Router::Route* Router::find(const Request& request) const {
  for (const auto& route : routes_) {
    if (route.method == request.method && matches(route.path, request.path)) return &route;
  }
  return nullptr;
}

std::string Router::methods_of(std::string_view path) const {
  std::string methods;
  for (const auto& route : routes_) {
    if (!matches(route.path, path)) continue;
    methods += (methods.empty() ? "" : ", ") + std::string(route.method);
  }
  return methods;
}

void Router::route(const Request& request, Answer answer) const {
  if (request.method == kHead) answer.leave_out_body();
  const Route* const route = find(request);
  answer.count_in(route != nullptr ? route->counts : unrouted_);
  if (request.head_too_large) {
    answer.send(to_response({Code::head_too_large, "the query and the headers are too long"}));
    return;
  }
  if (!guard_(request, answer)) return;
  if (route == nullptr) {
    refuse(request, std::move(answer));
    return;
  }
  const auto query = Query::parse(request.query);
  if (!query) {
    answer.send(to_response(query.error()));
  } else {
    route->handler(request, *query, std::move(answer));
  }
}

void Router::refuse(const Request& request, Answer answer) const {
  const std::string allowed = methods_of(request.path);
  if (allowed.empty()) {
    answer.send(to_response({Code::unknown_route, "no such route: " + utf8_lossy(request.path)}));
    return;
  }
  Response response = to_response(
      {Code::wrong_method, "this route takes " + allowed + ", not " + utf8_lossy(request.method)});
  response.headers += "Allow: " + allowed + "\r\n";
  answer.send(std::move(response));
}

}  // namespace letterbox
