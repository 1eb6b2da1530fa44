#include "plugin/server/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <utility>

namespace bindcast {

namespace {

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

Bio source_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask at the terminal otherwise.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::string end_of(const X509* certificate) {
  std::tm when{};
  char text[32] = "";
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) == 1)
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &when);
  return text;
}

}  // namespace

void Certificate::configure(const TlsOptions& options) {
  if (options == options_) return;
  options_ = options;
  fault_.clear();
  if (!wanted()) {
    pair_ = {};
    return;
  }
  read();
  if (std::exchange(fault_is_new_, false)) log_(LogLevel::error, fault_);
}

// The two files of a new certificate come one after the other: what is wrong is said only when it is still so at the
// next look.
void Certificate::tick() {
  if (!wanted()) return;
  if (!(stamp_of(options_.certificate) == certificate_stamp_) || !(stamp_of(options_.key) == key_stamp_))
    read();
  else if (std::exchange(fault_is_new_, false))
    log_(LogLevel::error, fault_);
}

void Certificate::read() {
  certificate_stamp_ = stamp_of(options_.certificate);  // first: a change meanwhile is seen next time
  key_stamp_ = stamp_of(options_.key);
  Pair pair;
  std::string fault = read_pair(options_, pair);
  ERR_clear_error();
  if (!fault.empty()) {
    fault = "server.tls: " + fault + (usable() ? "; the certificate before it stays in force" : "");
    fault_is_new_ = fault_is_new_ || fault != fault_;
    fault_ = std::move(fault);
    return;
  }
  fault_.clear();
  fault_is_new_ = false;
  pair_ = std::move(pair);
  log_(LogLevel::info, "server.tls: the certificate is valid until " + end_of(pair_.certificate.get()));
}

std::string Certificate::read_pair(const TlsOptions& options, Pair& out) {
  std::string text;
  std::string fault = read_small_file(options.certificate, kMaxBytes, text);
  if (!fault.empty()) return options.certificate + " " + fault;
  const Bio certificates = source_of(text);
  out.certificate.reset(PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr));
  if (!out.certificate) return options.certificate + " holds no certificate in PEM";
  out.chain.reset(sk_X509_new_null());
  while (X509* next = PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr))
    sk_X509_push(out.chain.get(), next);
  fault = read_small_file(options.key, kMaxBytes, text);
  if (!fault.empty()) return options.key + " " + fault;
  out.key.reset(PEM_read_bio_PrivateKey(source_of(text).get(), nullptr, no_passphrase, nullptr));
  OPENSSL_cleanse(text.data(), text.size());
  if (!out.key) return options.key + " holds no private key in PEM, or one with a passphrase";
  if (X509_check_private_key(out.certificate.get(), out.key.get()) != 1)
    return options.key + " is not the key of " + options.certificate;
  return {};
}

void Certificate::serve(SSL_CTX* context) {
  SSL_CTX_set_cert_cb(
      context,
      [](SSL* connection, void* self) {
        const Pair& pair = static_cast<Certificate*>(self)->pair_;
        return pair.key != nullptr && SSL_use_cert_and_key(connection, pair.certificate.get(), pair.key.get(),
                                                           pair.chain.get(), 1) == 1
                   ? 1
                   : 0;
      },
      this);
}

}  // namespace bindcast
