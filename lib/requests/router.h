// SPDX-License-Identifier: MIT
//
// Gives each request to the handler of its route, by PATH_INFO and method.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastcgi/answer.h"
#include "fastcgi/request.h"
#include "model/query.h"

namespace letterbox {

class Router {
 public:
  using Handler = std::function<void(const Request&, const Query&, Answer)>;
  // Returns whether a request may go on. If it may not, the guard has answered it.
  using Guard = std::function<bool(const Request&, Answer&)>;

  struct Route {
    std::string_view method;
    std::string_view path;
    Handler handler;
    // Shared with the answers that are still owed; they may outlive the router.
    std::shared_ptr<StatusCounts> counts = std::make_shared<StatusCounts>();
  };

  // Says whether a route that takes GET also takes HEAD, by the same handler.
  enum class Head { like_get, refused };

  // `method` and `path` must be literals. A part `*` of `path` matches any part that is not empty.
  void add(std::string_view method, std::string_view path, Handler handler,
           Head head = Head::like_get);

  // The guard is asked about each request, also one without a route. Only a head that is too large
  // is refused before.
  void guard_by(Guard guard) { guard_ = std::move(guard); }

  // The router answers 404 and 405 itself, and 400 if it can't read the query string.
  void route(const Request& request, Answer answer) const;

  // The list is constant once all routes are added. Any thread may read the counts.
  const std::vector<Route>& routes() const { return routes_; }
  // The counts of the route that was added with this method and path; null if there is no such
  // route.
  const StatusCounts* counts(std::string_view method, std::string_view path) const;
  // The counts of the requests without a route.
  const StatusCounts& unrouted() const { return *unrouted_; }

 private:
  const Route* find(const Request& request) const;
  std::string methods_of(std::string_view path) const;
  void refuse(const Request& request, Answer answer) const;

  Guard guard_ = [](const Request&, Answer&) { return true; };
  std::vector<Route> routes_;
  std::shared_ptr<StatusCounts> unrouted_ = std::make_shared<StatusCounts>();
};

}  // namespace letterbox
