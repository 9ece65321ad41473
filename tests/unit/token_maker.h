// SPDX-License-Identifier: MIT
//
// Signs tokens as a back end would, with any header and claims, so that tests can also make tokens
// that must be refused. For one thread.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "secret/base64url.h"

namespace letterbox::test {

inline std::string hs256(std::string_view secret, std::string_view header,
                         std::string_view claims) {
  const std::string text = base64url(header) + '.' + base64url(claims);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return text + '.' + base64url({reinterpret_cast<const char*>(digest), size});
}

// A new pair of a private and a public key.
class KeyPair {
 public:
  static KeyPair rsa(size_t bits) {
    return KeyPair(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits), EVP_sha256());
  }
  static KeyPair ed25519() {
    return KeyPair(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), nullptr);
  }
  static KeyPair of_curve(const char* curve) {
    return KeyPair(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve), EVP_sha256());
  }

  std::string public_pem() const {
    const auto bio = memory();
    must(PEM_write_bio_PUBKEY(bio.get(), key_.get()) == 1);
    return contents(bio.get());
  }
  std::string private_pem() const {
    const auto bio = memory();
    must(PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
         1);
    return contents(bio.get());
  }
  std::string public_der() const {
    const int size = i2d_PUBKEY(key_.get(), nullptr);
    std::string der(static_cast<size_t>(size), '\0');
    auto* out = reinterpret_cast<unsigned char*>(der.data());
    must(i2d_PUBKEY(key_.get(), &out) == size);
    return der;
  }

  std::string sign(std::string_view header, std::string_view claims) const {
    const std::string text = base64url(header) + '.' + base64url(claims);
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
    must(EVP_DigestSignInit(context.get(), nullptr, digest_, nullptr, key_.get()) == 1);
    size_t size = 0;
    must(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1);
    std::string signature(size, '\0');
    must(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                        bytes, text.size()) == 1);
    signature.resize(size);
    return text + '.' + base64url(signature);
  }

 private:
  struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  KeyPair(EVP_PKEY* key, const EVP_MD* digest) : key_(key), digest_(digest) {
    must(key != nullptr);
  }

  static void must(bool done) {
    if (!done) throw std::runtime_error("OpenSSL would not");
  }
  static std::unique_ptr<BIO, Free> memory() {
    return std::unique_ptr<BIO, Free>(BIO_new(BIO_s_mem()));
  }
  static std::string contents(BIO* bio) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    return {text, static_cast<size_t>(size)};
  }

  std::unique_ptr<EVP_PKEY, Free> key_;
  const EVP_MD* digest_;
};

}  // namespace letterbox::test
