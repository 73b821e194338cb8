#include "tests/kubernetes/authority.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace promotiond::tests {
namespace {

std::string pem_of(const auto& write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
    write(bio.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
    return pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
}

void add_name(X509_NAME* name, const char* field, const std::string& value) {
    if (!value.empty())
        X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1,
                                   0);
}

void add_extension(X509* certificate, int id, const char* value) {
    if (value == nullptr) return;
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

X509* blank(EVP_PKEY* key, long serial) {
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3'600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
    X509_set_pubkey(certificate, key);
    return certificate;
}

}  // namespace

Authority::Authority()
    : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free),
      certificate_(blank(key_.get(), serial_), &X509_free) {
    X509_NAME* name = X509_get_subject_name(certificate_.get());
    add_name(name, "CN", "test authority");
    X509_set_issuer_name(certificate_.get(), name);
    add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate_.get(), NID_key_usage, "critical,keyCertSign,digitalSignature");
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());
    pem_ = pem_of(certificate_.get());
}

Identity Authority::server() {
    return issue("server", {}, "serverAuth", "DNS:localhost,IP:127.0.0.1");
}

Identity Authority::client(const std::string& user, const std::string& group) {
    return issue(user, group, "clientAuth", nullptr);
}

Identity Authority::issue(const std::string& name, const std::string& organisation,
                          const char* usage, const char* alternative_names) {
    const Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const Certificate certificate(blank(key.get(), ++serial_), &X509_free);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    add_name(subject, "O", organisation);
    add_name(subject, "CN", name);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate.get(), NID_ext_key_usage, usage);
    add_extension(certificate.get(), NID_subject_alt_name, alternative_names);
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    return {pem_of(certificate.get()), pem_of([&](BIO* bio) {
                PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
            })};
}

}  // namespace promotiond::tests
