// TLS policy of outbound connections: TLS 1.2 or later, the peer's certificate and name always
// checked, no way to switch that off.
//
// Thread-safety: pure functions; a context may be used by several threads once it is made.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/result.hpp"
#include "net/connection.hpp"

namespace promotiond::net {

using TlsContext = std::shared_ptr<SSL_CTX>;

// `ca_pem` empty = the system's trusted certificates; else exactly those given, each of which is an
// anchor. The client's certificate (with its chain) and key come both or not at all. Invalid: text
// that is not PEM, no certificate in it, a key that does not fit or is encrypted.
[[nodiscard]] Result<TlsContext> make_tls_context(const std::string& ca_pem,
                                                  const std::string& client_certificate_pem,
                                                  const Secret& client_key_pem);

// A session on a connected, non-blocking socket that checks the peer against `host`. Null on
// failure (tls_error_text() says why).
[[nodiscard]] SslSession tls_session(SSL_CTX& context, int fd, const std::string& host);

// The newest error of OpenSSL's queue in words, which is emptied; "connection closed" if none.
[[nodiscard]] std::string tls_error_text();

}  // namespace promotiond::net
