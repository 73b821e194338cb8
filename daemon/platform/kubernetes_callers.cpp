#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>

#include "base/guarded.hpp"
#include "platform/kubernetes.hpp"
#include "platform/text_cut.hpp"

namespace promotiond::platform {
namespace {

namespace json = boost::json;

constexpr const char* kTokenReviews = "/apis/authentication.k8s.io/v1/tokenreviews";
constexpr const char* kAccessReviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
constexpr std::size_t kLongestName = 256;  // bytes
const std::string kPart = "tokens";        // as /readyz names it

// What a token is remembered by: never the token itself.
std::string digest_of(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// RFC 6750's b64token: anything else is no token, and nobody is asked about it.
bool is_token(std::string_view text) {
    static constexpr std::string_view kOthers = "-._~+/=";
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kOthers.find(c) != std::string_view::npos;
    });
}

std::string printable(std::string name) {
    std::replace_if(
        name.begin(), name.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return cut(std::move(name), kLongestName);
}

std::string_view name_of(Verb verb) {
    switch (verb) {
        case Verb::Get: return "get";
        case Verb::List: return "list";
        case Verb::Approve: break;
    }
    return "approve";
}

// Answers by what they answer, each until its time.
template <class Answer>
class Memory {
public:
    explicit Memory(std::size_t most) : most_(most) {}
    [[nodiscard]] std::optional<Answer> find(const std::string& key, SteadyTime now) const {
        auto kept = kept_.access();
        const auto found = kept->find(key);
        if (found == kept->end() || found->second.until <= now) return std::nullopt;
        return found->second.answer;
    }
    void keep(const std::string& key, Answer answer, SteadyTime now, SteadyTime until) {
        auto kept = kept_.access();
        if (kept->size() >= most_) {
            std::erase_if(*kept, [now](const auto& each) { return each.second.until <= now; });
        }
        if (kept->size() >= most_) kept->clear();
        kept->insert_or_assign(key, Kept{std::move(answer), until});
    }

private:
    struct Kept {
        Answer answer;
        SteadyTime until;
    };
    const std::size_t most_;
    mutable Guarded<std::map<std::string, Kept>> kept_;
};

class KubeCallers final : public Callers {
public:
    KubeCallers(KubeClient& client, const Clock& clock, Metrics& metrics,
                KubeCallersOptions options)
        : client_(client),
          clock_(clock),
          metrics_(metrics),
          options_(std::move(options)),
          tokens_(options_.most),
          rights_(options_.most) {}

    bool remembers(std::string_view token) const override {
        const auto kept = tokens_.find(digest_of(token), clock_.steady_now());
        return kept && *kept;
    }

    Result<std::optional<Caller>> who(std::string_view token,
                                      const std::stop_token& stop) override {
        if (!is_token(token)) return std::optional<Caller>();
        const std::string key = digest_of(token);
        if (auto kept = tokens_.find(key, clock_.steady_now())) return std::move(*kept);
        json::object spec{{"token", token}};
        if (!options_.audiences.empty()) spec["audiences"] = json::value_from(options_.audiences);
        auto answer =
            review(kTokenReviews, "authentication.k8s.io/v1", "TokenReview", std::move(spec), stop);
        if (!answer) return failed("token", std::move(answer).error());
        auto caller = caller_of(JsonView(*answer)["status"]);
        count("token", caller ? "yes" : "no");
        client_.tell(kPart, nullptr);
        remember(tokens_, key, caller, caller.has_value());
        return caller;
    }

    Result<bool> may(const Caller& caller, Verb verb, const model::PipelineName& pipelines,
                     const std::stop_token& stop) override {
        json::object attributes{
            {"group", kPipelines.group}, {"resource", kPipelines.plural}, {"verb", name_of(verb)}};
        if (!pipelines.ns.empty()) attributes["namespace"] = pipelines.ns;
        if (!pipelines.name.empty()) attributes["name"] = pipelines.name;
        boost::system::error_code broken;
        auto spec = json::parse(caller.identity, broken);
        if (broken || !spec.is_object())
            return Error{ErrorKind::Internal, "a caller without an identity"};
        spec.as_object()["resourceAttributes"] = std::move(attributes);
        const std::string key = digest_of(json::serialize(spec));
        if (const auto kept = rights_.find(key, clock_.steady_now())) return *kept;
        auto answer = review(kAccessReviews, "authorization.k8s.io/v1", "SubjectAccessReview",
                             std::move(spec.as_object()), stop);
        if (!answer) return failed("access", std::move(answer).error());
        const JsonView status = JsonView(*answer)["status"];
        const bool allowed = status["allowed"].is_true() && !status["denied"].is_true();
        count("access", allowed ? "yes" : "no");
        client_.tell(kPart, nullptr);
        remember(rights_, key, allowed, allowed);
        return allowed;
    }

private:
    KubeResult<std::string> review(const char* path, const char* version, const char* kind,
                                   json::object spec, const std::stop_token& stop) {
        return client_.post_path(
            path,
            json::serialize(
                json::object{{"apiVersion", version}, {"kind", kind}, {"spec", std::move(spec)}}),
            {.stop = stop, .deadline = std::chrono::steady_clock::now() + options_.timeout});
    }

    // An API server that knows nothing of audiences leaves them out; its answer holds for its own
    // audience only (k8s.io/api/authentication/v1/types.go, TokenReviewStatus, read 2026-11).
    [[nodiscard]] bool meant_for_us(JsonView status) const {
        if (options_.audiences.empty()) return true;
        bool found = false;
        status["audiences"].each_item([&](JsonView each) {
            found = std::find(options_.audiences.begin(), options_.audiences.end(), each.text()) !=
                    options_.audiences.end();
            return !found;
        });
        return found;
    }

    [[nodiscard]] std::optional<Caller> caller_of(JsonView status) const {
        const JsonView user = status["user"];
        const std::string name = user["username"].text();
        if (!status["authenticated"].is_true() || name.empty() || !meant_for_us(status))
            return std::nullopt;
        json::object identity{{"user", name}};
        // As TokenReview tells it, so SubjectAccessReview takes it.
        for (const char* part : {"uid", "groups", "extra"}) {
            const JsonView told = user[part];
            boost::system::error_code broken;
            auto value = told ? json::parse(told.raw(), broken) : json::value();
            if (broken) return std::nullopt;
            if (told) identity[part] = std::move(value);
        }
        return Caller{printable(name), json::serialize(identity)};
    }

    template <class Answer>
    void remember(Memory<Answer>& memory, const std::string& key, const Answer& answer, bool yes) {
        const auto now = clock_.steady_now();
        memory.keep(key, answer, now, now + (yes ? options_.yes : options_.no));
    }

    Error failed(const char* what, KubeError error) {
        count(what, "failed");
        client_.tell(kPart, &error);
        return {ErrorKind::Transient, std::move(error.error.message)};
    }

    void count(const char* what, const char* result) {
        metrics_
            .counter("promotiond_kube_reviews_total",
                     "Questions to the API server who a caller is (token) and what they may "
                     "(access), by result.",
                     {{"review", what}, {"result", result}})
            .add();
    }

    KubeClient& client_;
    const Clock& clock_;
    Metrics& metrics_;
    const KubeCallersOptions options_;
    Memory<std::optional<Caller>> tokens_;
    Memory<bool> rights_;
};

}  // namespace

std::unique_ptr<Callers> kube_callers(KubeClient& client, const Clock& clock, Metrics& metrics,
                                      KubeCallersOptions options) {
    return std::make_unique<KubeCallers>(client, clock, metrics, std::move(options));
}

}  // namespace promotiond::platform
