#include "git_transport.hpp"

#include <memory>
#include <new>

namespace promotiond::sdk::inline v1::gitops {
namespace {

// The list of references of the largest public repositories is about 10 MiB.
constexpr std::uint64_t kMaxRefsBytes = std::uint64_t{24} << 20;

// libgit2 sees the first member and hands the address back.
struct Stream {
    git_smart_subtransport_stream face{};
    GitTransport* transport = nullptr;
};
struct Subtransport {
    git_smart_subtransport face{};
    GitTransport* transport = nullptr;
    Stream* stream = nullptr;  // of a connection with state (SSH): one for both actions
    bool ssh = false;
};

// No exception may pass through libgit2's frames.
template <class Action>
int guarded(GitTransport& transport, Action action) noexcept {
    try {
        return action();
    } catch (const std::exception& e) {
        return transport.fail({ErrorKind::Internal, std::string("git connection: ") + e.what()});
    } catch (...) {
        return -1;
    }
}

int stream_read(git_smart_subtransport_stream* face, char* into, std::size_t size,
                std::size_t* got) {
    auto& transport = *reinterpret_cast<Stream*>(face)->transport;
    *got = 0;
    return guarded(transport, [&] { return transport.read(into, size, got); });
}

int stream_write(git_smart_subtransport_stream* face, const char* bytes, std::size_t size) {
    auto& transport = *reinterpret_cast<Stream*>(face)->transport;
    return guarded(transport, [&] { return transport.write(bytes, size); });
}

void stream_free(git_smart_subtransport_stream* face) {
    const std::unique_ptr<Stream> stream(reinterpret_cast<Stream*>(face));
    auto& subtransport = *reinterpret_cast<Subtransport*>(stream->face.subtransport);
    if (subtransport.stream == stream.get()) subtransport.stream = nullptr;
    (void)guarded(*stream->transport, [&] {
        stream->transport->end_exchange();
        return 0;
    });
}

int start_action(Subtransport& subtransport, git_smart_service_t action) {
    auto& transport = *subtransport.transport;
    switch (action) {
        case GIT_SERVICE_UPLOADPACK_LS: return transport.open_refs("git-upload-pack");
        case GIT_SERVICE_RECEIVEPACK_LS: return transport.open_refs("git-receive-pack");
        case GIT_SERVICE_UPLOADPACK: return transport.open_exchange("git-upload-pack");
        case GIT_SERVICE_RECEIVEPACK: return transport.open_exchange("git-receive-pack");
    }
    return -1;
}

int subtransport_action(git_smart_subtransport_stream** out, git_smart_subtransport* face,
                        const char*, git_smart_service_t action) {
    auto& subtransport = *reinterpret_cast<Subtransport*>(face);
    *out = nullptr;
    return guarded(*subtransport.transport, [&] {
        if (const int code = start_action(subtransport, action); code != 0) return code;
        if (subtransport.ssh && subtransport.stream != nullptr) {
            *out = &subtransport.stream->face;
            return 0;
        }
        auto stream = std::make_unique<Stream>();
        stream->face.subtransport = face;
        stream->face.read = stream_read;
        stream->face.write = stream_write;
        stream->face.free = stream_free;
        stream->transport = subtransport.transport;
        if (subtransport.ssh) subtransport.stream = stream.get();
        *out = &stream.release()->face;  // freed by stream_free
        return 0;
    });
}

int subtransport_close(git_smart_subtransport* face) {
    reinterpret_cast<Subtransport*>(face)->transport->close();
    return 0;
}

void subtransport_free(git_smart_subtransport* face) {
    delete reinterpret_cast<Subtransport*>(face);
}

template <bool kSsh>
int make_subtransport(git_smart_subtransport** out, git_transport*, void* transport) {
    // Freed by subtransport_free: libgit2 owns it.
    auto* made = new (std::nothrow) Subtransport;
    if (made == nullptr) return -1;
    made->face.action = subtransport_action;
    made->face.close = subtransport_close;
    made->face.free = subtransport_free;
    made->transport = static_cast<GitTransport*>(transport);
    made->ssh = kSsh;
    *out = &made->face;
    return 0;
}

}  // namespace

int GitTransport::make(git_transport** out, git_remote* owner, void* transport) noexcept {
    auto& self = *static_cast<GitTransport*>(transport);
    const bool ssh = self.address_->scheme == GitScheme::Ssh;
    // Over HTTP each exchange is a request (rpc); SSH keeps a conversation.
    git_smart_subtransport_definition definition{
        ssh ? make_subtransport<true> : make_subtransport<false>, ssh ? 0U : 1U, transport};
    return git_transport_smart(out, owner, &definition);
}

int GitTransport::fail(Error error) {
    git_error_set_str(GIT_ERROR_NET, error.message.c_str());
    if (!failure_) failure_ = std::move(error);
    return GIT_EUSER;
}

int GitTransport::check_call() {
    if (auto stop = Waiting(*call_).over()) return fail(*stop);
    return 0;
}

int GitTransport::open_refs(const std::string& service) {
    reading_refs_ = true;
    refs_bytes_ = 0;
    asking_ = false;
    if (address_->scheme == GitScheme::Https) {
        const auto sent = http_.get_refs(service);
        return sent ? 0 : fail(sent.error());
    }
    auto started = SshCommand::start(*call_, *address_, *credentials_, service);
    if (!started) return fail(started.error());
    ssh_.emplace(std::move(*started));
    return 0;
}

int GitTransport::open_exchange(const std::string& service) {
    reading_refs_ = false;
    if (address_->scheme == GitScheme::Ssh)
        return ssh_ ? 0 : fail({ErrorKind::Internal, "git asks before it connects"});
    http_.begin_post(service);
    asking_ = true;
    return 0;
}

int GitTransport::write(const char* bytes, std::size_t size) {
    if (address_->scheme == GitScheme::Ssh && !ssh_) return -1;
    const auto sent = ssh_ ? ssh_->write({bytes, size}) : http_.post({bytes, size});
    return sent ? 0 : fail(sent.error());
}

Result<void> GitTransport::finish_request() {
    if (!asking_) return {};
    asking_ = false;
    return http_.finish_post();
}

Result<std::size_t> GitTransport::read_either(char* into, std::size_t size) {
    if (ssh_) return ssh_->read(into, size);
    if (auto finished = finish_request(); !finished) return finished.error();
    return http_.read(into, size);
}

int GitTransport::read(char* into, std::size_t size, std::size_t* got) {
    const auto count = read_either(into, size);
    if (!count) return fail(count.error());
    *got = *count;
    if (!reading_refs_) return 0;
    refs_bytes_ += *count;
    if (refs_bytes_ <= kMaxRefsBytes) return 0;
    return fail({ErrorKind::Invalid, address_->display() +
                                         " lists more than 24 MiB of references, more than this "
                                         "program takes; remove stale branches and tags"});
}

void GitTransport::end_exchange() {
    asking_ = false;
    if (!ssh_) http_.end_exchange();
}

void GitTransport::close() { ssh_.reset(); }

}  // namespace promotiond::sdk::inline v1::gitops
