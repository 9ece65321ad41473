// SPDX-License-Identifier: MIT
//
// Which handler a request goes to, by PATH_INFO and method.
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
  // Says whether a request may go on; where not, it has answered it.
  using Guard = std::function<bool(const Request&, Answer&)>;

  struct Route {
    std::string_view method;
    std::string_view path;
    Handler handler;
    // Shared with the answers that are still owed, which may outlive the router.
    std::shared_ptr<StatusCounts> counts = std::make_shared<StatusCounts>();
  };

  // Whether a route that takes GET takes HEAD too, by the same handler.
  enum class Head { like_get, refused };

  // The views must be literals. A part `*` of a path stands for any part, but not for none.
  void add(std::string_view method, std::string_view path, Handler handler,
           Head head = Head::like_get);

  // Is asked before anything else about each request, those without a route among them.
  void guard_by(Guard guard) { guard_ = std::move(guard); }

  // Answers 404 and 405 itself, and 400 where the query string can't be read.
  void route(const Request& request, Answer answer) const;

  // Constant once all are added: any thread may read what was counted.
  const std::vector<Route>& routes() const { return routes_; }
  // Of the route that was added so; null: there is none.
  const StatusCounts* counts(std::string_view method, std::string_view path) const;
  // What came to none of them.
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
