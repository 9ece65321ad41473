// SPDX-License-Identifier: MIT
//
// The other web sites whose pages may poll (CORS), and what browsers say of the page that sends a
// request. Other code decides which user may read which mailbox. Constant after construction; for
// any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "fastcgi/answer.h"
#include "fastcgi/request.h"

namespace letterbox {

class Origins {
 public:
  // `list` is like `https://a.example,https://b.example:8443`; empty: no origin. There is no
  // wildcard and no `null`, because pages may send cookies along. The error is a sentence.
  static Result<Origins, std::string> parse(std::string_view list);

  bool any() const { return !headers_.empty(); }
  bool name(std::string_view origin) const { return headers_.contains(origin); }

  // If the request's origin is named, the answer says that its pages may read it. Returns false if
  // admits() has answered itself: the request is a browser's question whether it may send one.
  bool admits(const Request& request, Answer& answer) const;

 private:
  std::map<std::string, std::shared_ptr<const std::string>, std::less<>> headers_;
};

// True if a page of another site has sent the request, or led the browser there. An old browser,
// or a program that is no browser, does not say so. (A sibling below the same domain is no other
// site.)
bool is_cross_site(const Request& request);

// True if the request comes from a page whose origin is not the host that was asked.
bool is_cross_origin(const Request& request);

}  // namespace letterbox
