// SPDX-License-Identifier: MIT
#include "redis/address.h"

#include <sys/un.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace letterbox {

namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kSentinel = "sentinel:";
constexpr std::string_view kCluster = "cluster:";
constexpr int kRedisPort = 6379;
constexpr int kSentinelPort = 26379;

using Parsed = Result<RedisAddress, std::string>;

Parsed parse_path(std::string_view path, const std::string& whole) {
  if (path.empty()) return "no path in " + whole;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return "the path of a unix socket can't be that long: " + whole;
  }
  RedisAddress address;
  address.path = path;
  return address;
}

Parsed parse_host(std::string_view text, int usual_port) {
  const std::string whole(text);
  RedisAddress address;
  address.port = usual_port;
  const bool bracketed = text.starts_with('[');
  const size_t host_end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && host_end == std::string_view::npos) return "no closing bracket in " + whole;
  address.host = text.substr(bracketed, host_end - bracketed);
  if (address.host.empty()) return "no host in '" + whole + "'";

  std::string_view rest =
      host_end == std::string_view::npos ? "" : text.substr(host_end + bracketed);
  if (rest.empty()) return address;
  const auto port = rest.starts_with(':') ? parse_u64(rest.substr(1)) : std::nullopt;
  if (!port || *port < 1 || *port > 65535) return "no port from 1 to 65535 in '" + whole + "'";
  address.port = static_cast<int>(*port);
  return address;
}

// HOST:PORT,HOST:PORT. The error names `whole`.
Result<std::vector<RedisAddress>, std::string> parse_hosts(std::string_view text, int usual_port,
                                                           const std::string& whole) {
  std::vector<RedisAddress> hosts;
  while (true) {
    const size_t end = std::min(text.find(','), text.size());
    const auto host = parse_host(text.substr(0, end), usual_port);
    if (!host) return host.error() + " (" + whole + ")";
    hosts.push_back(*host);
    if (end == text.size()) return hosts;
    text.remove_prefix(end + 1);
  }
}

Parsed parse_sentinels(std::string_view text, const std::string& whole) {
  RedisAddress address;
  const size_t name_end = text.find('@');
  address.master = text.substr(0, name_end);
  if (name_end == std::string_view::npos || address.master.empty()) {
    return "no name of a master before an @ in " + whole;
  }
  auto sentinels = parse_hosts(text.substr(name_end + 1), kSentinelPort, whole);
  if (!sentinels) return sentinels.error();
  address.sentinels = std::move(*sentinels);
  return address;
}

Parsed parse_nodes(std::string_view text, const std::string& whole) {
  auto nodes = parse_hosts(text, kRedisPort, whole);
  if (!nodes) return nodes.error();
  RedisAddress address;
  address.nodes = std::move(*nodes);
  return address;
}

std::string text_of(const std::vector<RedisAddress>& hosts) {
  std::string all;
  for (const auto& host : hosts) all += (all.empty() ? "" : ",") + host.text();
  return all;
}

}  // namespace

Result<RedisAddress, std::string> RedisAddress::parse(std::string_view text) {
  const std::string whole(text);
  if (text.starts_with(kSentinel)) return parse_sentinels(text.substr(kSentinel.size()), whole);
  if (text.starts_with(kCluster)) return parse_nodes(text.substr(kCluster.size()), whole);
  if (text.starts_with(kUnix)) return parse_path(text.substr(kUnix.size()), whole);
  if (text.starts_with('/')) return parse_path(text, whole);
  return parse_host(text, kRedisPort);
}

std::string RedisAddress::text() const {
  if (!sentinels.empty()) return std::string(kSentinel) + master + "@" + text_of(sentinels);
  if (!nodes.empty()) return std::string(kCluster) + text_of(nodes);
  if (!path.empty()) return std::string(kUnix) + path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace letterbox
