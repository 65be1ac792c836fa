#include "client/sdk/client.h"

#include <deque>
#include <map>
#include <random>
#include <thread>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "client/rpc/channel.h"
#include "client/sdk/core/session_tokens.h"
#include "common/rpc/grpc_time.h"
#include "common/status/error.h"
#include "common/time/system/system_clock.h"
#include "grpcpp/alarm.h"
#include "homeport/v1/key_value.grpc.pb.h"

namespace homeport::sdk {
namespace {

// A tag of the completion queue; deleted when it has run.
using Event = absl::AnyInvocable<void(bool)>;

uint64_t RandomBits() {
  thread_local std::random_device random;
  return uint64_t{random()} << 32 | random();
}

struct Connection {
  explicit Connection(const std::string& address) : channel(OpenChannel(address)), stub(channel) {}

  const std::shared_ptr<grpc::Channel> channel;
  v1::KeyValue::Stub stub;
};

template <typename Request, typename Response>
using Prepare = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (v1::KeyValue::Stub::*)(
    grpc::ClientContext*, const Request&, grpc::CompletionQueue*);

}  // namespace

struct Client::Engine {
  explicit Engine(ClientOptions o)
      : options(std::move(o)),
        choice(options.gateways, options.choice),
        thread([this] { Run(); }) {}

  ~Engine() {
    {
      absl::MutexLock lock(&mutex);
      const auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return calls == 0; };
      mutex.Await(absl::Condition(&all_ended));
    }
    queue.Shutdown();
    thread.join();
  }

  void Run() {
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
      std::unique_ptr<Event> event(static_cast<Event*>(tag));
      (*event)(ok);
    }
  }

  std::shared_ptr<Connection> ConnectionTo(const std::string& address) {
    absl::MutexLock lock(&mutex);
    std::shared_ptr<Connection>& connection = connections[address];
    if (connection == nullptr) {
      // What a client was told of and left again is not kept for ever.
      if (connections.size() > GatewayChoice::kGatewaysMax) {
        std::erase_if(connections, [&](const auto& entry) {
          return entry.first != address && entry.second.use_count() == 1;
        });
      }
      connections[address] = std::make_shared<Connection>(address);
    }
    return connections[address];
  }

  void CallBegins() {
    absl::MutexLock lock(&mutex);
    ++calls;
  }
  void CallEnds() {
    absl::MutexLock lock(&mutex);
    --calls;
  }

  const ClientOptions options;
  const SystemClock clock;
  GatewayChoice choice;
  grpc::CompletionQueue queue;
  absl::Mutex mutex;
  std::map<std::string, std::shared_ptr<Connection>> connections ABSL_GUARDED_BY(mutex);
  int calls ABSL_GUARDED_BY(mutex) = 0;
  std::thread thread;  // the last: it uses all of the above
};

struct Session::State {
  explicit State(Client::Engine* e) : engine(e) {}

  // Runs `begin` now, or when a call has ended. False if too many wait.
  bool AwaitTurn(absl::AnyInvocable<void()> begin) {
    {
      absl::MutexLock lock(&mutex);
      if (under_way == SessionTokens::kInFlightMax) {
        if (waiting.size() == kQueuedMax) return false;
        waiting.push_back(std::move(begin));
        return true;
      }
      ++under_way;
    }
    begin();
    return true;
  }

  // The turn goes to the one that waits the longest.
  void EndTurn() {
    absl::AnyInvocable<void()> next;
    {
      absl::MutexLock lock(&mutex);
      if (waiting.empty()) {
        --under_way;
        return;
      }
      next = std::move(waiting.front());
      waiting.pop_front();
    }
    next();
  }

  Client::Engine* const engine;
  SessionTokens tokens;
  absl::Mutex mutex;
  size_t under_way ABSL_GUARDED_BY(mutex) = 0;
  std::deque<absl::AnyInvocable<void()>> waiting ABSL_GUARDED_BY(mutex);
};

namespace {

// One call, through all its attempts. Steps follow each other on the engine's thread, but for the
// first ones, so nothing of it is guarded. `State` and `Engine` are those of the session's.
template <typename State, typename Engine, typename Request, typename Response>
class Call : public std::enable_shared_from_this<Call<State, Engine, Request, Response>> {
 public:
  static constexpr bool kWrite =
      std::is_same_v<std::decay_t<decltype(std::declval<Request>().options())>, v1::WriteOptions>;

  Call(std::shared_ptr<State> state, Engine* engine, Prepare<Request, Response> prepare,
       Request request, Session::Done<Response> done)
      : state_(std::move(state)),
        engine_(engine),
        prepare_(prepare),
        request_(std::move(request)),
        done_(std::move(done)),
        deadline_(engine_->clock.SteadyNow() + engine_->options.deadline) {
    facts_.write = kWrite;
    facts_.local_only = request_.options().local_only();
    if constexpr (kWrite) {
      if (request_.options().request_id().empty()) {
        request_.mutable_options()->set_request_id(NewRequestId(RandomBits));
      }
    }
    engine_->CallBegins();
  }
  ~Call() { engine_->CallEnds(); }

  void Begin() {
    auto self = this->shared_from_this();
    if (!state_->AwaitTurn([self] { self->HaveTurn(); })) {
      done_(MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                      absl::StrCat("the session has ", kQueuedMax, " calls waiting"),
                      {{"what", "session"}}));
    }
  }

 private:
  void HaveTurn() {
    carried_ = state_->tokens.ToSend();
    request_.mutable_options()->set_session_token(carried_.bytes);
    const SteadyTime now = engine_->clock.SteadyNow();
    if (now >= deadline_) {
      return Later(absl::ZeroDuration(), [](Call& call) {
        call.Finish(MakeError(absl::StatusCode::kDeadlineExceeded, reason::kDeadline,
                              "the call's time was over before it was sent",
                              {{"waited_for", "turn"}}));
      });
    }
    Attempt(engine_->choice.Pick(now));
  }

  void Attempt(std::string gateway) {
    gateway_ = std::move(gateway);
    connection_ = engine_->ConnectionTo(gateway_);
    const SteadyTime now = engine_->clock.SteadyNow();
    facts_.left = deadline_ - now;
    attempt_ends_ = now + AttemptTime(facts_, engine_->choice.HasOther(gateway_, now));
    AwaitConnection();
  }

  // A request that meets no connection was surely not sent.
  void AwaitConnection() {
    grpc::Channel& channel = *connection_->channel;
    const grpc_connectivity_state now = channel.GetState(/*try_to_connect=*/true);
    const absl::Duration left = attempt_ends_ - engine_->clock.SteadyNow();
    if (now == GRPC_CHANNEL_READY && left > absl::ZeroDuration()) return Send(left);
    if (now == GRPC_CHANNEL_TRANSIENT_FAILURE || left <= absl::ZeroDuration()) {
      return Later(absl::ZeroDuration(), [](Call& call) {
        call.facts_.sent = false;
        call.Ended(MakeError(absl::StatusCode::kUnavailable, reason::kUnreachable,
                             absl::StrCat("no gateway answers at ", call.gateway_),
                             {{"address", call.gateway_}}));
      });
    }
    auto self = this->shared_from_this();
    channel.NotifyOnStateChange(now, GrpcTimeAfter(left), &engine_->queue,
                                new Event([self](bool) { self->AwaitConnection(); }));
  }

  void Send(absl::Duration left) {
    context_ = std::make_unique<grpc::ClientContext>();
    context_->set_deadline(GrpcTimeAfter(left));
    const std::string& from = engine_->options.from;
    if (!from.empty()) context_->AddMetadata("x-forwarded-for", from);
    facts_.sent = true;
    response_.Clear();
    reader_ = (connection_->stub.*prepare_)(context_.get(), request_, &engine_->queue);
    reader_->StartCall();
    auto self = this->shared_from_this();
    reader_->Finish(&response_, &status_,
                    new Event([self](bool) { self->Ended(FromGrpc(self->status_)); }));
  }

  void Ended(absl::Status status) {
    const SteadyTime now = engine_->clock.SteadyNow();
    facts_.left = deadline_ - now;
    Decision decision = Decide(status, facts_, engine_->options.retry, RandomBits);
    engine_->choice.Ended(gateway_, decision.verdict, now, RandomBits);
    if (status.ok()) {
      engine_->choice.ToldOf(gateway_, response_.provenance().nearest_gateway(), now);
    }
    facts_.maybe_done = decision.maybe_done;
    ++facts_.attempts;
    switch (decision.step) {
      case NextStep::kReturn:
        return Finish(std::move(decision.status));
      case NextStep::kSame:
        return After(decision.delay, false);
      case NextStep::kElsewhere:
        return After(decision.delay, true);
    }
  }

  void After(absl::Duration delay, bool elsewhere) {
    Later(delay, [elsewhere](Call& call) {
      const SteadyTime now = call.engine_->clock.SteadyNow();
      call.Attempt(elsewhere ? call.engine_->choice.Pick(now, call.gateway_) : call.gateway_);
    });
  }

  // Never at once, so that calls which fail one after the other do not pile up on the stack.
  template <typename Step>
  void Later(absl::Duration delay, Step step) {
    auto self = this->shared_from_this();
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(&engine_->queue, GrpcTimeAfter(delay),
                new Event([self, step](bool) { step(*self); }));
  }

  void Finish(absl::Status status) {
    if (status.ok()) {
      state_->tokens.Answered(carried_, response_.session_token());
    } else {
      const std::string reason = ReasonOf(status);
      std::string fresh;
      if (reason == reason::kHistoryLost &&
          absl::Base64Unescape(ErrorMetadataOf(status, "fresh_token").value_or(""), &fresh) &&
          !fresh.empty()) {
        state_->tokens.Answered(carried_, std::move(fresh));
      } else if (reason == reason::kHistoryLost || reason == reason::kTokenForeign ||
                 reason == reason::kTokenInvalid) {
        state_->tokens.Drop(carried_);
      }
    }
    // A callback that makes the next call must find its own turn free.
    state_->EndTurn();
    if (status.ok()) {
      done_(std::move(response_));
    } else {
      done_(std::move(status));
    }
  }

  const std::shared_ptr<State> state_;
  Engine* const engine_;
  const Prepare<Request, Response> prepare_;
  Request request_;
  Session::Done<Response> done_;
  const SteadyTime deadline_;
  CallFacts facts_;
  SessionTokens::Carried carried_;
  std::string gateway_;
  SteadyTime attempt_ends_;
  std::shared_ptr<Connection> connection_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
  std::unique_ptr<grpc::Alarm> alarm_;
  Response response_;
  grpc::Status status_;
};

template <typename State, typename Engine, typename Request, typename Response>
void BeginCall(std::shared_ptr<State> state, Engine* engine, Prepare<Request, Response> prepare,
               Request request, Session::Done<Response> done) {
  std::make_shared<Call<State, Engine, Request, Response>>(std::move(state), engine, prepare,
                                                           std::move(request), std::move(done))
      ->Begin();
}

template <typename Response, typename Request>
absl::StatusOr<Response> Blocking(Session& session,
                                  void (Session::*call)(Request, Session::Done<Response>),
                                  Request request) {
  absl::StatusOr<Response> answer = absl::UnknownError("");
  absl::Notification ended;
  (session.*call)(std::move(request), [&](absl::StatusOr<Response> response) {
    answer = std::move(response);
    ended.Notify();
  });
  ended.WaitForNotification();
  return answer;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  if (options.gateways.empty()) return FieldError("gateways", "name at least one");
  if (options.gateways.size() > GatewayChoice::kGatewaysMax) {
    return LimitError("gateways", GatewayChoice::kGatewaysMax, options.gateways.size(), "gateways");
  }
  if (options.deadline <= absl::ZeroDuration()) return FieldError("deadline", "must be above 0");
  return std::unique_ptr<Client>(new Client(std::move(options)));
}

Client::Client(ClientOptions options) : engine_(std::make_unique<Engine>(std::move(options))) {}

Client::~Client() = default;

std::unique_ptr<Session> Client::NewSession() {
  return std::unique_ptr<Session>(new Session(engine_.get()));
}

std::string Client::preferred_gateway() const { return engine_->choice.preferred(); }

Session::Session(Client::Engine* engine) : state_(std::make_shared<State>(engine)) {}

Session::~Session() = default;

std::string Session::Export() const { return state_->tokens.Export(); }

absl::Status Session::Join(absl::string_view exported) { return state_->tokens.Join(exported); }

#define HP_SESSION_CALL(METHOD)                                                                \
  void Session::METHOD(v1::METHOD##Request request, Done<v1::METHOD##Response> done) {         \
    BeginCall<State, Client::Engine, v1::METHOD##Request, v1::METHOD##Response>(               \
        state_, state_->engine, &v1::KeyValue::Stub::PrepareAsync##METHOD, std::move(request), \
        std::move(done));                                                                      \
  }                                                                                            \
  absl::StatusOr<v1::METHOD##Response> Session::METHOD(v1::METHOD##Request request) {          \
    return Blocking<v1::METHOD##Response, v1::METHOD##Request>(*this, &Session::METHOD,        \
                                                               std::move(request));            \
  }

HP_SESSION_CALL(Get)
HP_SESSION_CALL(BatchGet)
HP_SESSION_CALL(Put)
HP_SESSION_CALL(Delete)
HP_SESSION_CALL(Mutate)
HP_SESSION_CALL(ListItems)
HP_SESSION_CALL(ListRecords)

#undef HP_SESSION_CALL

}  // namespace homeport::sdk
