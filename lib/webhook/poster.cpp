// SPDX-License-Identifier: MIT
#include "webhook/poster.h"

#include <curl/curl.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace letterbox {

namespace {

constexpr long kConnectMs = 5000;
// An answer's body is read no further than this.
constexpr size_t kAnswerMostBytes = 65'536;
constexpr size_t kUrlMostBytes = 2048;

// libcurl's own state, made before the first handle, by the main thread.
void set_up_once() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  assert(done == CURLE_OK);
}

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

// What all connections to the receiver have in common.
void set_up(CURL* easy, const WebhookUrl& url) {
  curl_easy_setopt(easy, CURLOPT_URL, url.text.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // a slow look-up of a name holds up no end
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
}

}  // namespace

Result<WebhookUrl, std::string> WebhookUrl::parse(std::string_view text) {
  set_up_once();
  const std::string copy(text);
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  if (copy.empty() || copy.size() > kUrlMostBytes || !is_printable(copy) ||
      curl_url_set(url.get(), CURLUPART_URL, copy.c_str(), 0) != CURLUE_OK) {
    return "is no URL such as https://hooks.example.org/letterbox";
  }
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return "is a URL of http or https";
  if (!part_of(url.get(), CURLUPART_USER).empty() ||
      !part_of(url.get(), CURLUPART_PASSWORD).empty()) {
    return "is a URL without a user and a password: posts are signed";
  }
  const std::string port = part_of(url.get(), CURLUPART_PORT);
  return WebhookUrl{
      copy, scheme + "://" + part_of(url.get(), CURLUPART_HOST) + (port.empty() ? "" : ":" + port)};
}

Result<void, std::string> try_webhook(const WebhookUrl& url) {
  set_up_once();
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(),
                                                                 curl_easy_cleanup);
  assert(easy);
  set_up(easy.get(), url);
  curl_easy_setopt(easy.get(), CURLOPT_CONNECT_ONLY, 1L);
  const CURLcode code = curl_easy_perform(easy.get());
  if (code == CURLE_OK) return {};
  return std::string(curl_easy_strerror(code));
}

struct Poster::Transfer {
  ~Transfer() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
  }

  CURL* easy = curl_easy_init();
  curl_slist* headers = nullptr;
  std::string body;
  size_t answered_bytes = 0;
  Then then;
};

// A socket of libcurl's, as the loop watches it.
class Poster::Socket final : public Loop::Watcher {
 public:
  Socket(Poster& poster, int fd) : poster_(poster), fd_(fd) {}

  void on_ready(uint32_t events) override {
    const int what = ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                     ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                     ((events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    poster_.turn(fd_, what);  // may destroy this object
  }

 private:
  Poster& poster_;
  const int fd_;
};

struct Poster::Curl {
  static int on_socket(CURL* /*easy*/, curl_socket_t fd, int what, void* poster, void* /*known*/) {
    auto& self = *static_cast<Poster*>(poster);
    const auto found = self.sockets_.find(fd);
    if (what == CURL_POLL_REMOVE) {
      if (found == self.sockets_.end()) return 0;
      self.loop_.unwatch(fd, found->second.get());
      self.sockets_.erase(found);
      return 0;
    }
    const uint32_t events = ((what & CURL_POLL_IN) != 0 ? uint32_t{EPOLLIN} : 0) |
                            ((what & CURL_POLL_OUT) != 0 ? uint32_t{EPOLLOUT} : 0);
    if (found != self.sockets_.end()) {
      self.loop_.rearm(fd, events, found->second.get());
      return 0;
    }
    auto socket = std::make_unique<Socket>(self, fd);
    // (If it can't be watched, the post ends when its time is up, and is tried again later.)
    if (self.loop_.watch(fd, events, socket.get())) self.sockets_[fd] = std::move(socket);
    return 0;
  }

  static int on_timer(CURLM* /*multi*/, long ms, void* poster) {
    auto& self = *static_cast<Poster*>(poster);
    if (self.timer_) self.loop_.cancel(*std::exchange(self.timer_, std::nullopt));
    if (ms < 0) return 0;
    const uint64_t at = self.loop_.clock().steady_ms() + static_cast<uint64_t>(ms);
    self.timer_ = self.loop_.at(at, [&self] {
      self.timer_.reset();
      self.turn(CURL_SOCKET_TIMEOUT, 0);
    });
    return 0;
  }

  static size_t on_body(char* /*bytes*/, size_t size, size_t count, void* transfer) {
    auto& self = *static_cast<Transfer*>(transfer);
    self.answered_bytes += size * count;
    return self.answered_bytes <= kAnswerMostBytes ? size * count : 0;
  }
};

Poster::Poster(Loop& loop, const WebhookUrl& url, std::string agent)
    : loop_(loop), url_(url), agent_(std::move(agent)) {
  set_up_once();
  multi_ = curl_multi_init();
  assert(multi_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Curl::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Curl::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

Poster::~Poster() {
  for (const auto& [easy, transfer] : transfers_) curl_multi_remove_handle(multi_, easy);
  transfers_.clear();
  curl_multi_cleanup(multi_);
  if (timer_) loop_.cancel(*timer_);
}

void Poster::post(Post post, Then then) {
  auto transfer = std::make_unique<Transfer>();
  CURL* easy = transfer->easy;
  assert(easy != nullptr);
  transfer->body = std::move(post.body);
  transfer->then = std::move(then);
  // "Expect:": nothing is waited for before the body is sent.
  for (const auto& header :
       {std::string("Content-Type: application/json"), std::string("Expect:")}) {
    post.headers.push_back(header);
  }
  for (const auto& header : post.headers) {
    transfer->headers = curl_slist_append(transfer->headers, header.c_str());
  }
  set_up(easy, url_);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(transfer->body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, agent_.c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(kPatienceMs));
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Curl::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  transfers_[easy] = std::move(transfer);
  curl_multi_add_handle(multi_, easy);
}

void Poster::turn(int fd, int what) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, what, &running);
  finish_what_is_done();
}

void Poster::finish_what_is_done() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    // A body that is longer than it may be changes nothing: the status has come.
    const bool answered = code == CURLE_OK || (code == CURLE_WRITE_ERROR && status != 0);
    const Outcome outcome =
        answered ? Outcome{static_cast<int>(status), {}} : Outcome{0, curl_easy_strerror(code)};
    curl_multi_remove_handle(multi_, easy);
    auto done = transfers_.extract(easy);
    assert(!done.empty());
    done.mapped()->then(outcome);
  }
}

}  // namespace letterbox
