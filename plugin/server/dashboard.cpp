#include "plugin/server/dashboard.hpp"

#include <zlib.h>

#include <cstddef>
#include <new>
#include <string>

namespace bindcast {

namespace {

constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

// Does the list of Accept-Encoding have gzip, and not with the weight 0?
bool takes_gzip(std::string_view accept_encoding) {
  for (std::size_t at = accept_encoding.find("gzip"); at != std::string_view::npos;
       at = accept_encoding.find("gzip", at + 1)) {
    std::string_view weight = accept_encoding.substr(at + 4);
    weight = weight.substr(0, weight.find(','));
    const std::size_t is = weight.find("q=");
    if (is == std::string_view::npos || weight.substr(is + 2).find_first_not_of("0. ") != std::string_view::npos)
      return true;
  }
  return false;
}

// Of our own files only, so it cannot fail but for want of memory.
std::string decompressed(std::string_view gzip) {
  constexpr int kGzip = 16;  // added to the size of the window
  std::size_t size = 0;      // the last four bytes have it, the least of them first
  for (const char byte : {gzip.end()[-1], gzip.end()[-2], gzip.end()[-3], gzip.end()[-4]})
    size = size << 8U | static_cast<unsigned char>(byte);
  std::string text(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + kGzip) != Z_OK) throw std::bad_alloc();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));
  stream.avail_in = static_cast<uInt>(gzip.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const int state = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (state != Z_STREAM_END) throw std::bad_alloc();
  return text;
}

HttpAnswer answer_for(const DashboardFile& file, const HttpRequest& request) {
  HttpAnswer answer{.status = kHttpOk, .body = {}, .content_type = std::string(file.content_type), .headers = {}};
  answer.headers = {{"cache-control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache"},
                    {"etag", std::string(file.etag)},
                    {"vary", "accept-encoding"},
                    {"content-security-policy", kContentSecurityPolicy},
                    {"referrer-policy", "no-referrer"}};
  if (request.if_none_match.find(file.etag) != std::string::npos) {
    answer.status = kHttpNotModified;
  } else if (takes_gzip(request.accept_encoding)) {
    answer.body = file.gzip;
    answer.headers.emplace_back("content-encoding", "gzip");
  } else {
    answer.body = decompressed(file.gzip);
  }
  return answer;
}

}  // namespace

void serve_dashboard(Exchanges& exchanges, const ServerOptions& options) {
  for (const DashboardFile& file : dashboard_files())
    exchanges.serve("GET", std::string(file.path), [&file, &options](HttpRequest&& request, const Reply& reply, Now) {
      reply(options.dashboard ? answer_for(file, request)
                              : http_error(kHttpNotFound, "the dashboard is off (server.dashboard)"));
    });
  if (dashboard_files().empty())
    exchanges.serve("GET", "/", [](HttpRequest&&, const Reply& reply, Now) {
      reply(http_error(kHttpNotFound, "Bindcast was built without its dashboard, which wants Node.js and npm"));
    });
}

}  // namespace bindcast
