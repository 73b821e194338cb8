// A certificate authority of the test's own: identities of servers and clients that trust it.
//
// Thread-safety: none. Lifetime: what it has issued outlives it; all of it is valid for a day.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace promotiond::tests {

struct Identity {
    std::string certificate;  // PEM
    std::string key;          // PEM
};

class Authority {
public:
    Authority();

    [[nodiscard]] const std::string& pem() const noexcept { return pem_; }
    // For the server at 127.0.0.1 and localhost.
    [[nodiscard]] Identity server();
    // Kubernetes takes the common name for the user and the organisation for a group.
    [[nodiscard]] Identity client(const std::string& user, const std::string& group = {});

private:
    using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
    using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
    Identity issue(const std::string& name, const std::string& organisation, const char* usage,
                   const char* alternative_names);

    Key key_;
    Certificate certificate_;
    std::string pem_;
    long serial_ = 1;
};

}  // namespace promotiond::tests
