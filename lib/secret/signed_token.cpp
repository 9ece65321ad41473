// SPDX-License-Identifier: MIT
#include "secret/signed_token.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/limits.h"
#include "model/json_members.h"
#include "model/names.h"
#include "secret/base64url.h"
#include "secret/digest.h"

namespace letterbox {
namespace {

using Kind = JsonMember::Kind;

constexpr size_t kSecretMin = 32;  // as long as the digest, RFC 7518 demands
constexpr int kRsaBitsMin = 2048;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using PublicKey = std::unique_ptr<EVP_PKEY, Free>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The public key in PEM; null if there is none. Never asks a terminal for a password.
PublicKey read_pem(std::string_view text) {
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const auto no_password = [](char*, int, int, void*) { return -1; };
  PublicKey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return key;
}

// Whether this is a public key in another format than PEM. If it were used as a secret, the secret
// would be public.
bool is_public_key(std::string_view contents) {
  for (const std::string_view start : {"{", "ssh-", "ecdsa-", "MII", "MCowBQYDK2Vw"}) {
    if (contents.starts_with(start)) return true;
  }
  const unsigned char* at = bytes_of(contents);
  const PublicKey der(d2i_PUBKEY(nullptr, &at, static_cast<long>(contents.size())));
  ERR_clear_error();
  return der != nullptr;
}

std::string_view without_end_of_line(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

bool verified(EVP_PKEY* key, const EVP_MD* digest, std::string_view signature,
              std::string_view text) {
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  const bool good = EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
                    EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                                     bytes_of(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

// HEADER.CLAIMS.SIGNATURE, each still in base64url. `signed_text` is HEADER.CLAIMS.
struct Parts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_text;
};

std::optional<Parts> split(std::string_view token) {
  if (token.size() > kTokenBytes) return std::nullopt;
  const size_t first = token.find('.');
  const size_t last = token.rfind('.');
  if (first == last || token.find('.', first + 1) != last) return std::nullopt;
  return Parts{token.substr(0, first), token.substr(first + 1, last - first - 1),
               token.substr(last + 1), token.substr(0, last)};
}

// The algorithm that the token's header names. None if the header is malformed, or has `crit`: that
// names extensions which must be understood, and Letterbox understands none.
std::optional<std::string> algorithm(std::string_view header) {
  const auto text = from_base64url(header);
  if (!text) return std::nullopt;
  auto members = json_members(*text);
  if (!members || members->contains("crit")) return std::nullopt;
  const auto alg = members->find("alg");
  if (alg == members->end() || alg->second.kind != Kind::string) return std::nullopt;
  return std::move(alg->second.text);
}

struct Claims {
  std::string sub;
  uint64_t exp_ms = 0;
  std::optional<uint64_t> nbf_ms;
  std::optional<uint64_t> iat_ms;
  std::vector<std::string> aud;
};

// A NumericDate of RFC 7519: seconds since 1970, possibly with decimals or an exponent. A number
// out of all reason becomes the nearest one in range, which is judged like any other.
std::optional<uint64_t> read_date_ms(const JsonMember& member) {
  constexpr double kLatest = 1e12;
  if (member.kind != Kind::number) return std::nullopt;
  double seconds = 0;
  const char* end = member.text.data() + member.text.size();
  if (std::from_chars(member.text.data(), end, seconds).ec != std::errc()) return std::nullopt;
  return static_cast<uint64_t>(std::llround(std::clamp(seconds, 0.0, kLatest) * 1000));
}

// Reads a member that may be absent. False if it is there but no date.
bool read_date_if_any(const JsonMembers& members, std::string_view name,
                      std::optional<uint64_t>& date_ms) {
  const auto found = members.find(name);
  if (found == members.end()) return true;
  date_ms = read_date_ms(found->second);
  return date_ms.has_value();
}

bool read_audience(const JsonMembers& members, std::vector<std::string>& audience) {
  const auto found = members.find("aud");
  if (found == members.end()) return true;
  const JsonMember& aud = found->second;
  if (aud.kind == Kind::string) audience = {aud.text};
  if (aud.kind == Kind::strings) audience = aud.strings;
  return aud.kind == Kind::string || aud.kind == Kind::strings;
}

std::optional<Claims> read_claims(std::string_view text) {
  const auto json = from_base64url(text);
  if (!json) return std::nullopt;
  const auto members = json_members(*json);
  if (!members) return std::nullopt;
  const auto sub = members->find("sub");
  const auto exp = members->find("exp");
  if (sub == members->end() || sub->second.kind != Kind::string || exp == members->end()) {
    return std::nullopt;
  }
  const auto exp_ms = read_date_ms(exp->second);
  if (!exp_ms) return std::nullopt;
  Claims claims{.sub = sub->second.text, .exp_ms = *exp_ms, .nbf_ms = {}, .iat_ms = {}, .aud = {}};
  if (!read_date_if_any(*members, "nbf", claims.nbf_ms) ||
      !read_date_if_any(*members, "iat", claims.iat_ms) || !read_audience(*members, claims.aud)) {
    return std::nullopt;
  }
  return claims;
}

// Whether `later` is more than `by` after `earlier`.
bool more_than(uint64_t by, uint64_t later, uint64_t earlier) {
  return later > earlier && later - earlier > by;
}

std::optional<Unfit> judge(const Claims& claims, const SignedTokens::Rules& rules,
                           uint64_t now_ms) {
  if (now_ms >= claims.exp_ms + rules.leeway_ms) return Unfit::expired;
  if (more_than(rules.life_max_ms + rules.leeway_ms, claims.exp_ms, now_ms)) {
    return Unfit::lives_too_long;
  }
  for (const auto& begin : {claims.nbf_ms, claims.iat_ms}) {
    if (begin && more_than(rules.leeway_ms, *begin, now_ms)) return Unfit::not_yet;
  }
  if (!rules.audience.empty() &&
      std::find(claims.aud.begin(), claims.aud.end(), rules.audience) == claims.aud.end()) {
    return Unfit::other_audience;
  }
  if (!valid_user(claims.sub)) return Unfit::bad_user;
  return std::nullopt;
}

}  // namespace

// Either a public key or a secret.
struct SignedTokens::Key {
  std::string_view algorithm;
  PublicKey public_key;
  const EVP_MD* digest;
  std::string secret;

  bool signed_by(std::string_view signature, std::string_view text) const {
    if (public_key) return verified(public_key.get(), digest, signature, text);
    return same_secret(hmac_sha256(secret, text), signature);
  }
};

Result<SignedTokens::Key, std::string> SignedTokens::read_key(std::string_view contents) {
  constexpr std::string_view kPem = "-----BEGIN ";
  const size_t pem = contents.find(kPem);
  if (pem == std::string_view::npos) {
    if (is_public_key(contents)) return "is a public key, but not in PEM";
    const std::string_view secret = without_end_of_line(contents);
    if (secret.size() < kSecretMin) return "is a secret of less than 32 bytes";
    return Key{"HS256", nullptr, nullptr, std::string(secret)};
  }
  if (contents.find(kPem, pem + 1) != std::string_view::npos) return "holds more than one key";
  PublicKey key = read_pem(contents);
  if (!key) return "is PEM, but holds no public key";
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_ED25519:
      return Key{"EdDSA", std::move(key), nullptr, ""};
    case EVP_PKEY_RSA:
      if (EVP_PKEY_get_bits(key.get()) < kRsaBitsMin) return "is an RSA key of less than 2048 bits";
      return Key{"RS256", std::move(key), EVP_sha256(), ""};
    default:
      return "is a public key of neither RSA nor Ed25519";
  }
}

Result<SignedTokens, std::string> SignedTokens::with(
    const std::vector<std::string>& key_files_contents, Rules rules) {
  SignedTokens tokens;
  tokens.rules_ = std::move(rules);
  for (size_t i = 0; i < key_files_contents.size(); ++i) {
    auto key = read_key(key_files_contents[i]);
    if (!key) return "key " + std::to_string(i + 1) + " " + key.error();
    tokens.keys_.push_back(std::make_shared<const Key>(std::move(key).value()));
  }
  return tokens;
}

Result<Signed, Unfit> SignedTokens::check(std::string_view token, uint64_t now_ms) const {
  const auto parts = split(token);
  if (!parts) return Unfit::malformed;
  const auto alg = algorithm(parts->header);
  const auto signature = from_base64url(parts->signature);
  if (!alg || !signature) return Unfit::malformed;
  const bool known = std::any_of(keys_.begin(), keys_.end(), [&](const auto& key) {
    return key->algorithm == *alg && key->signed_by(*signature, parts->signed_text);
  });
  if (!known) return Unfit::unknown_key;
  auto claims = read_claims(parts->claims);
  if (!claims) return Unfit::malformed;
  if (const auto unfit = judge(*claims, rules_, now_ms)) return *unfit;
  assert(!claims->sub.empty() && claims->exp_ms + rules_.leeway_ms > now_ms);
  return Signed{std::move(claims->sub), claims->iat_ms, claims->exp_ms + rules_.leeway_ms};
}

}  // namespace letterbox
