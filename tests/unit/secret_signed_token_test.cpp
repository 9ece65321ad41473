// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include <algorithm>

#include "secret/signed_token.h"
#include "tests/unit/token_maker.h"

namespace letterbox {
namespace {

using namespace std::literals;
using test::hs256;
using test::KeyPair;

constexpr uint64_t kNow = 1'795'294'122'000;
constexpr uint64_t kHour = 3'600'000;
const SignedTokens::Rules kRules{.audience = "", .life_max_ms = 24 * kHour, .leeway_ms = 0};

const std::string kSecret = "0123456789abcdef0123456789abcdef";
const std::string kHs256 = R"({"typ":"JWT","alg":"HS256"})";
const std::string kRs256 = R"({"alg":"RS256"})";
const std::string kEdDsa = R"({"alg":"EdDSA"})";
const std::string kClaims = R"({"sub":"alice","exp":1795294182})";  // for a minute

SignedTokens keys(const std::vector<std::string>& contents,
                  const SignedTokens::Rules& rules = kRules) {
  auto tokens = SignedTokens::with(contents, rules);
  REQUIRE_MESSAGE(tokens, (tokens ? "" : tokens.error()));
  return std::move(tokens).value();
}

std::string why_not(const std::string& contents) {
  const auto tokens = SignedTokens::with({kSecret, contents}, kRules);
  return tokens ? "" : tokens.error();
}

// The outcome for these claims, well signed.
Result<Signed, Unfit> judged(const std::string& claims, const SignedTokens::Rules& rules = kRules) {
  return keys({kSecret}, rules).check(hs256(kSecret, kHs256, claims), kNow);
}

bool is(const Result<Signed, Unfit>& result, Unfit unfit) {
  return !result && result.error() == unfit;
}

// Made once: an RSA key takes its time.
const KeyPair& rsa() {
  static const KeyPair pair = KeyPair::rsa(2048);
  return pair;
}

TEST_CASE("a token of each algorithm says whom it is for, and until when") {
  const KeyPair ed = KeyPair::ed25519();
  const auto tokens = keys({rsa().public_pem(), ed.public_pem(), kSecret});
  CHECK(tokens.any());
  const std::string claims = R"({"sub":"alice","exp":1795294182,"iat":1795294121.5})";
  for (const auto& token :
       {rsa().sign(kRs256, claims), ed.sign(kEdDsa, claims), hs256(kSecret, kHs256, claims)}) {
    const auto checked = tokens.check(token, kNow);
    REQUIRE(checked);
    CHECK(checked->user == "alice");
    CHECK(checked->issued_ms == kNow - 500);
    CHECK(checked->expires_ms == kNow + 60'000);
  }
}

TEST_CASE("without a key no token is good") {
  CHECK_FALSE(SignedTokens().any());
  CHECK(is(SignedTokens().check(hs256(kSecret, kHs256, kClaims), kNow), Unfit::unknown_key));
  CHECK(is(SignedTokens().check(hs256("", kHs256, kClaims), kNow), Unfit::unknown_key));
}

TEST_CASE("a token signed with either of two keys is good, with a third key it is not") {
  const std::string second = "fedcba9876543210fedcba9876543210";
  const auto tokens = keys({kSecret, second + "\n"});
  CHECK(tokens.check(hs256(kSecret, kHs256, kClaims), kNow));
  CHECK(tokens.check(hs256(second, kHs256, kClaims), kNow));
  CHECK(is(tokens.check(hs256(second + "\n", kHs256, kClaims), kNow), Unfit::unknown_key));
  CHECK(is(tokens.check(hs256(kSecret + "0", kHs256, kClaims), kNow), Unfit::unknown_key));
}

// Their signatures are good if the refusal is about the claims.
TEST_CASE("the examples of RFC 7515 and RFC 8037 are well signed") {
  const std::string claims =
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ";
  const auto secret = from_base64url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const auto tokens = keys({secret.value(),
                            R"(-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj
NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz
P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo
9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB
EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX
FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp
oQIDAQAB
-----END PUBLIC KEY-----
)",
                            R"(-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
)"});
  const std::string signed_by_hmac = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + claims +
                                     ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const std::string signed_by_rsa =
      "eyJhbGciOiJSUzI1NiJ9." + claims +
      ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5"
      "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
      "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
      "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
  const std::string signed_by_ed25519 =
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
  for (std::string token : {signed_by_hmac, signed_by_rsa, signed_by_ed25519}) {
    CAPTURE(token);
    CHECK(is(tokens.check(token, kNow), Unfit::malformed));
    char& in_the_signature = token[token.rfind('.') + 5];
    in_the_signature = in_the_signature == 'A' ? 'B' : 'A';
    CHECK(is(tokens.check(token, kNow), Unfit::unknown_key));
  }
}

TEST_CASE("the algorithm is the key's, whatever the token says") {
  const KeyPair ed = KeyPair::ed25519();
  const auto of_rsa = keys({rsa().public_pem()});
  const auto of_ed = keys({ed.public_pem()});
  const auto of_secret = keys({kSecret});
  const auto of_all = keys({rsa().public_pem(), ed.public_pem(), kSecret});

  SUBCASE("none") {
    for (const auto alg : {"none", "None", "NONE", "nOnE", ""}) {
      const std::string header = R"({"alg":")" + std::string(alg) + R"("})";
      const std::string unsigned_one = base64url(header) + '.' + base64url(kClaims) + '.';
      CHECK(is(of_all.check(unsigned_one, kNow), Unfit::unknown_key));
      CHECK(is(of_all.check(hs256(kSecret, header, kClaims), kNow), Unfit::unknown_key));
    }
  }
  SUBCASE("HS256 with what everybody knows for a secret") {
    for (const KeyPair* pair : {&rsa(), &ed}) {
      const std::string pem = pair->public_pem();
      for (const auto& known : {pem, pem.substr(0, pem.size() - 1), pair->public_der()}) {
        CHECK(is(of_all.check(hs256(known, kHs256, kClaims), kNow), Unfit::unknown_key));
        CHECK(is(of_rsa.check(hs256(known, kHs256, kClaims), kNow), Unfit::unknown_key));
        CHECK(is(of_ed.check(hs256(known, kHs256, kClaims), kNow), Unfit::unknown_key));
      }
    }
  }
  SUBCASE("one for another") {
    for (const auto* tokens : {&of_rsa, &of_ed, &of_secret, &of_all}) {
      for (const auto* header : {&kHs256, &kEdDsa}) {
        CHECK(is(tokens->check(rsa().sign(*header, kClaims), kNow), Unfit::unknown_key));
      }
      for (const auto* header : {&kHs256, &kRs256}) {
        CHECK(is(tokens->check(ed.sign(*header, kClaims), kNow), Unfit::unknown_key));
      }
      for (const auto* header : {&kRs256, &kEdDsa}) {
        CHECK(is(tokens->check(hs256(kSecret, *header, kClaims), kNow), Unfit::unknown_key));
      }
    }
  }
  SUBCASE("an unknown one") {
    for (const auto alg : {"HS384", "HS512", "RS512", "PS256", "ES256", "hs256", "HS256 "}) {
      const std::string header = R"({"alg":")" + std::string(alg) + R"("})";
      CHECK(is(of_all.check(hs256(kSecret, header, kClaims), kNow), Unfit::unknown_key));
      CHECK(is(of_all.check(rsa().sign(header, kClaims), kNow), Unfit::unknown_key));
    }
  }
}

TEST_CASE("a key inside the token is ignored") {
  const KeyPair forger = KeyPair::rsa(2048);
  const auto tokens = keys({rsa().public_pem()});
  const std::string header =
      R"({"alg":"RS256","kid":"../../dev/null","jku":"http://127.0.0.1:1/","x5c":["AAAA"],)"
      R"("jwk":{"kty":"oct","k":"AAAA"}})";
  CHECK(is(tokens.check(forger.sign(header, kClaims), kNow), Unfit::unknown_key));
  CHECK(tokens.check(rsa().sign(header, kClaims), kNow));
}

TEST_CASE("a token that is cut off anywhere is refused, and so is one with more after it") {
  const auto tokens = keys({rsa().public_pem(), kSecret});
  for (const auto& token : {rsa().sign(kRs256, kClaims), hs256(kSecret, kHs256, kClaims)}) {
    REQUIRE(tokens.check(token, kNow));
    for (size_t size = 0; size < token.size(); ++size) {
      CHECK_FALSE(tokens.check(token.substr(0, size), kNow));
      CHECK_FALSE(tokens.check(token.substr(size + 1), kNow));
    }
    for (const auto more : {"=", "==", ".", "\n", " ", "A", ".AAAA"}) {
      CHECK_FALSE(tokens.check(token + more, kNow));
    }
    CHECK_FALSE(tokens.check(token + '\0', kNow));
  }
}

TEST_CASE("a token with one bit changed is refused, whichever bit it is") {
  const auto tokens = keys({kSecret});
  const std::string token = hs256(kSecret, kHs256, kClaims);
  for (size_t i = 0; i < token.size() * 8; ++i) {
    std::string other = token;
    other[i / 8] = static_cast<char>(other[i / 8] ^ 1 << i % 8);
    CHECK_FALSE(tokens.check(other, kNow));
  }
}

TEST_CASE("a header that is malformed, gives alg twice or has crit is refused") {
  for (const auto header :
       {"", "null", "[]", "\"HS256\"", "{}", R"({"alg":null})", R"({"alg":["HS256"]})",
        R"({"alg":"HS256","crit":["exp"],"exp":1})", R"({"alg":"HS256","crit":[]})",
        R"({"alg":"HS256","alg":"HS256"})", R"({"alg":"none","alg":"HS256"})",
        R"({"alg":"HS256","alg":"none"})", R"({"alg":"HS256"} {})", R"({"alg":"HS256")",
        "{\"alg\":\"HS256\",\"x\":\"\xFF\"}"}) {
    CAPTURE(header);
    CHECK(is(keys({kSecret}).check(hs256(kSecret, header, kClaims), kNow), Unfit::malformed));
  }
}

TEST_CASE("claims that lack sub or exp, or give one twice, are refused") {
  for (const auto claims : {"",
                            "{}",
                            "[]",
                            "null",
                            R"({"sub":"alice"})",
                            R"({"exp":1795294182})",
                            R"({"sub":1,"exp":1795294182})",
                            R"({"sub":null,"exp":1795294182})",
                            R"({"sub":["alice"],"exp":1795294182})",
                            R"({"sub":"alice","exp":"1795294182"})",
                            R"({"sub":"alice","exp":null})",
                            R"({"sub":"alice","exp":true})",
                            R"({"sub":"alice","exp":[1795294182]})",
                            R"({"sub":"alice","exp":1e999})",
                            R"({"sub":"alice","exp":0x6B020F26})",
                            R"({"sub":"alice","exp":1795294182,"exp":1795294182})",
                            R"({"sub":"bob","sub":"alice","exp":1795294182})",
                            R"({"sub":"alice","exp":1795294182,"nbf":"1795294000"})",
                            R"({"sub":"alice","exp":1795294182,"iat":{}})",
                            R"({"sub":"alice","exp":1795294182,"aud":1})",
                            R"({"sub":"alice","exp":1795294182,"aud":["site",1]})",
                            R"({"sub":"alice","exp":1795294182}x)",
                            R"({"inner":{"sub":"alice","exp":1795294182}})"}) {
    CAPTURE(claims);
    CHECK(is(judged(claims), Unfit::malformed));
  }
  CHECK(
      judged(R"({"sub":"alice","exp":1795294182,"more":{"sub":"bob","exp":[null]},"aud":"any"})"));
}

TEST_CASE("a token is good before it expires, and from its beginning on") {
  const auto until = [](const std::string& exp) {
    return judged(R"({"sub":"alice","exp":)" + exp + "}");
  };
  CHECK(is(until("1795294121"), Unfit::expired));
  CHECK(is(until("1795294122"), Unfit::expired));
  CHECK(is(until("0"), Unfit::expired));
  CHECK(is(until("-1795294182"), Unfit::expired));
  CHECK(until("1795294122.001"));
  CHECK(until("1.795294123e9"));

  const auto from = [](const std::string& name, const std::string& time) {
    return judged(R"({"sub":"alice","exp":1795294182,")" + name + "\":" + time + "}");
  };
  for (const auto name : {"nbf", "iat"}) {
    CHECK(from(name, "1795294122"));
    CHECK(from(name, "0"));
    CHECK(from(name, "-5"));
    CHECK(is(from(name, "1795294122.001"), Unfit::not_yet));
    CHECK(is(from(name, "1e300"), Unfit::not_yet));
  }
}

TEST_CASE("a token that lives longer than is allowed is refused") {
  const auto day = R"({"sub":"alice","exp":1795380522})";
  CHECK(judged(day));
  CHECK(is(judged(R"({"sub":"alice","exp":1795380522.001})"), Unfit::lives_too_long));
  CHECK(is(judged(R"({"sub":"alice","exp":99999999999999999999})"), Unfit::lives_too_long));
  CHECK(is(judged(R"({"sub":"alice","exp":1e300})"), Unfit::lives_too_long));
}

TEST_CASE("clocks may differ by the leeway, and an accepted token has never expired") {
  const SignedTokens::Rules rules{.audience = "", .life_max_ms = kHour, .leeway_ms = 5000};
  const auto passed = judged(R"({"sub":"alice","exp":1795294117.001})", rules);
  REQUIRE(passed);
  CHECK(passed->expires_ms == kNow + 1);
  CHECK(is(judged(R"({"sub":"alice","exp":1795294117})", rules), Unfit::expired));
  CHECK(judged(R"({"sub":"alice","exp":1795294182,"nbf":1795294127})", rules));
  CHECK(is(judged(R"({"sub":"alice","exp":1795294182,"nbf":1795294128})", rules), Unfit::not_yet));
  CHECK(judged(R"({"sub":"alice","exp":1795297727})", rules));
  CHECK(is(judged(R"({"sub":"alice","exp":1795297728})", rules), Unfit::lives_too_long));
}

TEST_CASE("a token for another audience is refused if one is asked for") {
  const SignedTokens::Rules rules{.audience = "letterbox", .life_max_ms = kHour, .leeway_ms = 0};
  const auto aimed = [&rules](const std::string& aud) {
    return judged(R"({"sub":"alice","exp":1795294182)" + aud + "}", rules);
  };
  CHECK(aimed(R"(,"aud":"letterbox")"));
  CHECK(aimed(R"(,"aud":["site","letterbox"])"));
  for (const auto aud : {"", R"(,"aud":"")", R"(,"aud":"Letterbox")", R"(,"aud":[])",
                         R"(,"aud":["site","letterbox2"])", R"(,"aud":"site letterbox")"}) {
    CAPTURE(aud);
    CHECK(is(aimed(aud), Unfit::other_audience));
  }
}

TEST_CASE("a subject that is no user's name is refused") {
  for (const auto sub : {"", "a b", "a{b}", "*", "a/b", "a\\nb", "a\\u0000", "é"}) {
    CAPTURE(sub);
    CHECK(is(judged(R"({"sub":")" + std::string(sub) + R"(","exp":1795294182})"), Unfit::bad_user));
  }
  CHECK(
      is(judged(R"({"exp":1795294182,"sub":")" + std::string(129, 'a') + "\"}"), Unfit::bad_user));
}

TEST_CASE("a token of more than 8 KiB is refused unread") {
  const auto padded = [](size_t size) {
    return hs256(kSecret, kHs256,
                 R"({"sub":"alice","exp":1795294182,"x":")" + std::string(size, 'x') + "\"}");
  };
  const auto tokens = keys({kSecret});
  size_t size = 5900;
  while (padded(size + 1).size() <= 8192) ++size;
  CHECK(tokens.check(padded(size), kNow));
  CHECK(is(tokens.check(padded(size + 1), kNow), Unfit::malformed));
  CHECK(is(tokens.check(std::string(1'000'000, '.'), kNow), Unfit::malformed));
  CHECK(is(tokens.check(std::string(8192, 'A'), kNow), Unfit::malformed));
}

TEST_CASE("keys that are weak, private or of the wrong kind are refused at the start") {
  const KeyPair ed = KeyPair::ed25519();
  CHECK(why_not("") == "key 2 is a secret of less than 32 bytes");
  CHECK(why_not(std::string(31, 'x') + "\r\n") == "key 2 is a secret of less than 32 bytes");
  CHECK(why_not(std::string(32, 'x') + "\r\n").empty());
  CHECK(why_not(KeyPair::rsa(1024).public_pem()) == "key 2 is an RSA key of less than 2048 bits");
  CHECK(why_not(KeyPair::of_curve("P-256").public_pem()) ==
        "key 2 is a public key of neither RSA nor Ed25519");
  CHECK(why_not(ed.private_pem()) == "key 2 is PEM, but holds no public key");
  CHECK(why_not(rsa().private_pem()) == "key 2 is PEM, but holds no public key");
  CHECK(why_not(ed.public_pem() + ed.public_pem()) == "key 2 holds more than one key");
  const std::string pem = ed.public_pem();
  CHECK(why_not(pem.substr(0, pem.size() / 2)) == "key 2 is PEM, but holds no public key");
  CHECK(why_not("# for the site\n" + pem).empty());
}

TEST_CASE("a public key that is not in PEM is not taken for a secret") {
  const std::string pem = rsa().public_pem();
  const std::string bare = pem.substr(pem.find('\n') + 1);
  for (const auto& key :
       {rsa().public_der(), KeyPair::ed25519().public_der(), bare,
        R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"s,
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHeGs8yLyFfDyq3UJmmO1R0uvNQxgHuQk7jG"s}) {
    CHECK(why_not(key) == "key 2 is a public key, but not in PEM");
  }
}

}  // namespace
}  // namespace letterbox
