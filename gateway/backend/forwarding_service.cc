#include "gateway/backend/forwarding_service.h"

#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/server_stream.h"
#include "common/status/error.h"
#include "gateway/backend/frames/answer_queue.h"
#include "gateway/backend/frames/fragment_reader.h"
#include "gateway/backend/frames/freshness_frame.h"
#include "homeport/internal/v1/forwarding.grpc.pb.h"

namespace homeport {
namespace {

using google::protobuf::Arena;
using google::protobuf::ArenaOptions;
using internal::v1::ExchangeRequest;
using internal::v1::ExchangeResponse;
using internal::v1::Forwarding;
using internal::v1::Fragment;
using internal::v1::StoreRequest;
using internal::v1::StoreResponse;

// Where a call's messages live when they are small.
constexpr size_t kCallBlockBytes = 1024;
// Answers that ended within Execute() wait for others of the same message, but not for more.
constexpr int kInlineAnswersMax = 32;

class Session;

// What the sessions share with the service; lives as long as any of them.
struct Shared {
  const Clock* clock;
  RecordStore* store;
  ForwardingServiceOptions options;

  absl::Mutex mutex;
  absl::CondVar left;
  bool draining ABSL_GUARDED_BY(mutex) = false;
  absl::flat_hash_set<std::shared_ptr<Session>> sessions ABSL_GUARDED_BY(mutex);
};

// One call under way. The store holds it by its Done, the session until it is answered.
struct Call {
  explicit Call(uint64_t number) : id(number), arena(Options(block)) {
    request = Arena::CreateMessage<StoreRequest>(&arena);
    response = Arena::CreateMessage<StoreResponse>(&arena);
  }
  static ArenaOptions Options(char* block) {
    ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = kCallBlockBytes;
    return options;
  }

  const uint64_t id;
  size_t bytes = 0;
  Cancellation cancellation;
  alignas(8) char block[kCallBlockBytes];
  Arena arena;
  StoreRequest* request;
  StoreResponse* response;
};

// Where streams come from.
struct Arrivals {
  Forwarding::AsyncService* service;
  grpc::ServerCompletionQueue* queue;
  StreamQueues* streams;
};

// One stream. Held by itself until it comes, then by the service until OnDone(), and by the calls
// that it has at the store.
//
// Reading and answering meet under the mutex; the store, serializing and gRPC are called outside.
class Session final : public ServerStream<ExchangeRequest, ExchangeResponse>,
                      public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Shared> shared, Arrivals arrivals)
      : shared_(std::move(shared)),
        arrivals_(arrivals),
        reader_({.call_bytes_max = shared_->options.call_bytes_max}),
        answers_(shared_->options.fragment_bytes, shared_->options.message_bytes) {}

  // Waits for a call with a session of its own.
  static void Await(std::shared_ptr<Shared> shared, Arrivals arrivals) {
    auto session = std::make_shared<Session>(std::move(shared), arrivals);
    session->waiting_ = session;
    session->Post(arrivals.streams,
                  [arrivals](auto* context, auto* stream, auto* queue, void* tag) {
                    arrivals.service->RequestExchange(context, stream, queue, arrivals.queue, tag);
                  });
  }

  void Drain() {
    bool write = false;
    {
      absl::MutexLock lock(&mutex_);
      answers_.Drain();
      write = TakeWrite();
    }
    if (write) StartWrite(&outgoing_);
  }

  void OnArrival(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { End(grpc::Status(grpc::StatusCode::CANCELLED, "the caller left")); }
  void OnDone() override {
    CancelCalls();
    std::shared_ptr<Session> self = shared_from_this();
    std::shared_ptr<Shared> shared = shared_;
    absl::MutexLock lock(&shared->mutex);
    shared->sessions.erase(self);
    if (shared->sessions.empty()) shared->left.SignalAll();
  }

 private:
  // Starts executing what `fragment` completes. An error ends the stream.
  absl::Status OnFragment(SteadyTime now, Fragment* fragment);
  void Execute(std::shared_ptr<Call> call, SteadyTime deadline);
  void Answer(const Call& call, absl::Status status);
  void CancelCalls();
  // Ends the stream once no write is under way; what is under way at the store goes on.
  void End(grpc::Status status);

  // What is to be done after the mutex is given back.
  bool TakeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Go(bool write, bool read, bool finish) {
    if (write) StartWrite(&outgoing_);
    if (read) {
      StartRead(&incoming_);
      absl::MutexLock lock(&mutex_);
      starting_read_ = false;
      finish = TakeFinish();
    }
    if (finish) Finish(end_status_);
  }

  const std::shared_ptr<Shared> shared_;
  const Arrivals arrivals_;
  std::shared_ptr<Session> waiting_;
  ExchangeRequest incoming_;
  ExchangeResponse outgoing_;
  // Used by the reading reaction alone, of which there is one at a time.
  FragmentReader reader_;

  absl::Mutex mutex_;
  AnswerQueue answers_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, std::shared_ptr<Call>> calls_ ABSL_GUARDED_BY(mutex_);
  size_t call_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // A message was taken in whole and the next one not asked for.
  bool read_due_ ABSL_GUARDED_BY(mutex_) = false;
  // Between TakeRead() and StartRead(): nothing may be started once the stream is finished.
  bool starting_read_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_ended_ ABSL_GUARDED_BY(mutex_) = false;
  // The thread inside the reading reaction defers writes for what it completes itself.
  int inline_answers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // Written before `finished_`, read after.
  grpc::Status end_status_;
};

// The session whose message this thread is taking in.
thread_local const Session* taking_in = nullptr;

bool Session::TakeWrite() {
  if (writing_ || ending_ || answers_.empty()) return false;
  answers_.Fill(&outgoing_);
  inline_answers_ = 0;
  writing_ = true;
  return true;
}

bool Session::TakeRead() {
  if (!read_due_ || ending_ || calls_.size() >= shared_->options.in_flight_max ||
      call_bytes_ + answers_.bytes() >= shared_->options.in_flight_bytes_max) {
    return false;
  }
  read_due_ = false;
  starting_read_ = true;
  return true;
}

bool Session::TakeFinish() {
  if (writing_ || starting_read_ || finished_) return false;
  const bool is_done = reads_ended_ && calls_.empty() && answers_.empty();
  if (!ending_ && !is_done) return false;
  ending_ = finished_ = true;
  return true;
}

void Session::OnArrival(bool ok) {
  const std::shared_ptr<Session> self = std::move(waiting_);
  if (!ok) return;
  Await(shared_, arrivals_);
  // Before others may write: a message that goes first would bring the headers as well.
  StartSendInitialMetadata();
  bool refuse = false;
  {
    absl::MutexLock lock(&shared_->mutex);
    shared_->sessions.insert(self);
    refuse = shared_->draining;
  }
  if (refuse) return End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "this process is draining"));
  StartRead(&incoming_);
}

void Session::OnReadDone(bool ok) {
  if (!ok) {
    bool finish = false;
    {
      absl::MutexLock lock(&mutex_);
      reads_ended_ = true;
      finish = TakeFinish();
    }
    Go(false, false, finish);
    return;
  }
  if (incoming_.ping() != 0) {
    internal::v1::StoreFreshness freshness = FreshnessToWire(shared_->store->freshness());
    bool write = false;
    {
      absl::MutexLock lock(&mutex_);
      answers_.Pong(incoming_.ping(), std::move(freshness));
      write = TakeWrite();
    }
    Go(write, false, false);
  }
  const SteadyTime now = shared_->clock->SteadyNow();
  absl::Status status;
  if (incoming_.fragments_size() > kFragmentsPerMessageMax) {
    status = LimitError("fragments", kFragmentsPerMessageMax, incoming_.fragments_size(),
                        "fragments in a message");
  } else if (incoming_.cancelled_size() > kCancelledPerMessageMax) {
    status = LimitError("cancelled", kCancelledPerMessageMax, incoming_.cancelled_size(),
                        "calls in a message");
  }
  taking_in = this;
  for (Fragment& fragment : *incoming_.mutable_fragments()) {
    if (!status.ok()) break;
    status = OnFragment(now, &fragment);
  }
  taking_in = nullptr;
  std::vector<std::shared_ptr<Call>> cancelled;
  bool write = false;
  bool read = false;
  {
    absl::MutexLock lock(&mutex_);
    for (uint64_t id : incoming_.cancelled()) {
      if (!status.ok()) break;
      reader_.Drop(id);
      answers_.Drop(id);
      auto it = calls_.find(id);
      if (it != calls_.end()) cancelled.push_back(it->second);
    }
    write = TakeWrite();
    read_due_ = status.ok();
    read = TakeRead();
  }
  for (const std::shared_ptr<Call>& call : cancelled) call->cancellation.Cancel();
  Go(write, read, false);
  if (!status.ok()) {
    End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::string(status.message()),
                     ToRpcStatus(status).SerializeAsString()));
  }
}

absl::Status Session::OnFragment(SteadyTime now, Fragment* fragment) {
  auto assembled = reader_.Add(now, fragment);
  if (!assembled.ok()) return assembled.status();
  if (assembled->data == nullptr) return absl::OkStatus();
  auto call = std::make_shared<Call>(fragment->call());
  call->bytes = assembled->data->size();
  {
    absl::MutexLock lock(&mutex_);
    if (ending_) return absl::OkStatus();
    if (!calls_.try_emplace(call->id, call).second) {
      return FieldError("fragments.call", absl::StrCat(call->id, " is under way already"));
    }
    call_bytes_ += call->bytes;
  }
  absl::Status status;
  if (!call->request->ParseFromString(*assembled->data)) {
    status = FieldError("request", "can not be read");
  } else if (call->request->operation_case() == StoreRequest::OPERATION_NOT_SET) {
    status = FieldError("request", "has no operation that is known here");
  } else if (shared_->options.validate) {
    status = shared_->options.validate(*call->request);
  }
  if (!status.ok()) {
    Answer(*call, std::move(status));
    return absl::OkStatus();
  }
  absl::Duration limit = shared_->options.deadline_max;
  if (assembled->deadline_micros != 0) {
    // A number of microseconds beyond the limit's is as good as the limit.
    const uint64_t limit_micros = static_cast<uint64_t>(absl::ToInt64Microseconds(limit));
    limit = absl::Microseconds(
        static_cast<int64_t>(std::min(limit_micros, assembled->deadline_micros)));
  }
  Execute(std::move(call), assembled->began + limit);
  return absl::OkStatus();
}

void Session::Execute(std::shared_ptr<Call> call, SteadyTime deadline) {
  CallContext context;
  context.deadline = deadline;
  context.cancellation = std::shared_ptr<Cancellation>(call, &call->cancellation);
  const StoreRequest& request = *call->request;
  StoreResponse* response = call->response;
  shared_->store->Execute(context, request, response,
                          [self = shared_from_this(), call = std::move(call)](absl::Status status) {
                            self->Answer(*call, std::move(status));
                          });
}

void Session::Answer(const Call& call, absl::Status status) {
  std::string serialized;
  if (status.ok() && !call.response->SerializeToString(&serialized)) {
    status = MakeError(absl::StatusCode::kUnavailable, reason::kOutcomeUnknown,
                       "the answer can not be serialized");
  }
  if (status.ok() && serialized.size() > shared_->options.call_bytes_max) {
    status = MakeError(absl::StatusCode::kResourceExhausted, reason::kLimitExceeded,
                       absl::StrCat("the answer has ", serialized.size(),
                                    " bytes, over the limit of ", shared_->options.call_bytes_max),
                       {{"field", "answer"},
                        {"limit", absl::StrCat(shared_->options.call_bytes_max)},
                        {"actual", absl::StrCat(serialized.size())}});
  }
  std::shared_ptr<Call> owned;  // let go of outside the mutex
  bool write = false;
  bool read = false;
  bool finish = false;
  {
    absl::MutexLock lock(&mutex_);
    auto it = calls_.find(call.id);
    if (it == calls_.end()) return;
    owned = std::move(it->second);
    calls_.erase(it);
    call_bytes_ -= owned->bytes;
    if (!ending_ && !owned->cancellation.cancelled()) {
      if (status.ok()) {
        answers_.AddAnswer(call.id, std::move(serialized));
      } else {
        answers_.AddError(call.id, status);
      }
    }
    const bool defer = taking_in == this && ++inline_answers_ < kInlineAnswersMax;
    if (!defer) write = TakeWrite();
    read = TakeRead();
    finish = TakeFinish();
  }
  Go(write, read, finish);
}

void Session::OnWriteDone(bool ok) {
  bool write = false;
  bool read = false;
  bool finish = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) {
      write = TakeWrite();
    } else if (!ending_) {
      ending_ = true;
      end_status_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the stream can not be written");
    }
    read = TakeRead();
    finish = TakeFinish();
  }
  Go(write, read, finish);
}

void Session::End(grpc::Status status) {
  bool finish = false;
  {
    absl::MutexLock lock(&mutex_);
    if (!ending_) {
      ending_ = true;
      end_status_ = std::move(status);
    }
    finish = TakeFinish();
  }
  CancelCalls();
  Go(false, false, finish);
}

void Session::CancelCalls() {
  std::vector<std::shared_ptr<Call>> calls;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [id, call] : calls_) calls.push_back(call);
  }
  for (const std::shared_ptr<Call>& call : calls) call->cancellation.Cancel();
}

}  // namespace

struct ForwardingService::Impl {
  explicit Impl(std::shared_ptr<Shared> shared_in) : shared(std::move(shared_in)) {}

  Forwarding::AsyncService service;
  const std::shared_ptr<Shared> shared;
};

ForwardingService::ForwardingService(const Clock* clock, RecordStore* store,
                                     ForwardingServiceOptions options) {
  auto shared = std::make_shared<Shared>();
  shared->clock = clock;
  shared->store = store;
  shared->options = std::move(options);
  impl_ = std::make_unique<Impl>(std::move(shared));
}

ForwardingService::~ForwardingService() = default;

grpc::Service* ForwardingService::service() { return &impl_->service; }

void ForwardingService::Serve(grpc::ServerCompletionQueue* arrivals, StreamQueues* queues) {
  Session::Await(impl_->shared, {&impl_->service, arrivals, queues});
}

void ForwardingService::Drain() {
  std::vector<std::shared_ptr<Session>> sessions;
  {
    absl::MutexLock lock(&impl_->shared->mutex);
    impl_->shared->draining = true;
    sessions.assign(impl_->shared->sessions.begin(), impl_->shared->sessions.end());
  }
  for (const std::shared_ptr<Session>& session : sessions) session->Drain();
}

bool ForwardingService::WaitIdle(absl::Duration timeout) {
  Shared& shared = *impl_->shared;
  const SteadyTime until = shared.clock->SteadyNow() + timeout;
  absl::MutexLock lock(&shared.mutex);
  while (!shared.sessions.empty()) {
    const absl::Duration left = until - shared.clock->SteadyNow();
    if (left <= absl::ZeroDuration()) return false;
    shared.left.WaitWithTimeout(&shared.mutex, left);
  }
  return true;
}

}  // namespace homeport
