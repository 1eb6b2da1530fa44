// POST /api/v1/login, /logout and /renew. Loop thread only.
#pragma once

#include "config/options.hpp"
#include "plugin/server/exchanges.hpp"
#include "plugin/server/identity.hpp"

namespace bindcast {

// What a request carries to say whose it is. Its cookie only where its origin is allowed.
[[nodiscard]] Offered offered_by(const HttpRequest& request, const ServerOptions& options);
[[nodiscard]] HttpAnswer http_refusal(const Rejection& refusal);

// The references outlive the exchanges; `options` is always the one in force.
void serve_logins(Exchanges& exchanges, Identity& identity, const ServerOptions& options);

}  // namespace bindcast
