// SPDX-License-Identifier: MIT
//
// Which web sites besides its own may have their pages poll (CORS), and what browsers say of the
// page that sends a request. Who may read which mailbox is decided elsewhere. Constant after
// construction; any thread.
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
  // As `https://a.example,https://b.example:8443`; empty: none. No wildcard and no `null`, since
  // pages may send cookies along. The error is a sentence.
  static Result<Origins, std::string> parse(std::string_view list);

  bool any() const { return !headers_.empty(); }
  bool name(std::string_view origin) const { return headers_.contains(origin); }

  // Has a named origin's answer say that its pages may read it. False where it has answered itself:
  // a browser that only asks whether it may send a request.
  bool admits(const Request& request, Answer& answer) const;

 private:
  std::map<std::string, std::shared_ptr<const std::string>, std::less<>> headers_;
};

// Whether a page of another site has sent it, or led the browser there. What is no browser, and an
// old one, says nothing of that. (A sibling below the same domain is no other site.)
bool is_cross_site(const Request& request);

// Whether it comes from a page of another origin than the host that was asked.
bool is_cross_origin(const Request& request);

}  // namespace letterbox
