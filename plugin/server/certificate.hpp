// The certificate of the listeners and its key, read again when their files change: new handshakes get the new one,
// connections stay. A broken one changes nothing. Loop thread only.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "config/options.hpp"
#include "plugin/log.hpp"
#include "plugin/server/small_file.hpp"

namespace bindcast {

class Certificate {
 public:
  static constexpr std::size_t kMaxBytes = 1024 * 1024;  // of each file

  explicit Certificate(Log log) : log_(std::move(log)) {}
  void configure(const TlsOptions& options);
  void tick();  // once a second: looks at the files

  [[nodiscard]] bool wanted() const noexcept { return !options_.certificate.empty(); }
  [[nodiscard]] bool usable() const noexcept { return pair_.key != nullptr; }
  // Every handshake by `context` asks this object, which outlives it, for the certificate.
  void serve(SSL_CTX* context);

 private:
  struct Free {
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(STACK_OF(X509) * chain) const noexcept { sk_X509_pop_free(chain, X509_free); }
  };
  struct Pair {
    std::unique_ptr<X509, Free> certificate;
    std::unique_ptr<STACK_OF(X509), Free> chain;
    std::unique_ptr<EVP_PKEY, Free> key;
  };
  void read();
  [[nodiscard]] static std::string read_pair(const TlsOptions& options, Pair& out);

  Log log_;
  TlsOptions options_;
  Pair pair_;
  FileStamp certificate_stamp_, key_stamp_;  // of the files when they were read
  bool fault_is_new_ = false;                // to be said if it is still there at the next look
  std::string fault_;
};

}  // namespace bindcast
