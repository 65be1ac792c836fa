#include "gateway/server/rpc/unary_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log/log.h"
#include "common/rpc/grpc_time.h"
#include "common/status/error.h"
#include "common/status/retry_delay.h"
#include "gateway/server/rpc/wire_status.h"

namespace homeport {
namespace {

// Answers of up to this size are never held back: among them are those of all writes.
constexpr size_t kSmallAnswerBytes = 16 * 1024;

google::protobuf::ArenaOptions ArenaIn(char* block, size_t bytes) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block;
  options.initial_block_size = bytes;
  return options;
}

}  // namespace

UnaryCall::UnaryCall(UnaryPool* pool)
    : pool_(pool), arena_(ArenaIn(arena_block_, sizeof(arena_block_))) {}

void UnaryCall::Post() {
  finished_ = false;
  done_ = false;
  context_.emplace();
  writer_.emplace(&*context_);
  context_->AsyncNotifyWhenDone(&done_event_);
  pool_->queue().AddCall();
  pool_->method().Request(&*context_, &request_, &*writer_, pool_->queue().arrivals(),
                          &request_event_);
}

void UnaryCall::OnRequest(bool ok) {
  pool_->OnTaken();
  // The server stops. gRPC then sends no other event of this call.
  if (!ok) return pool_->Release(this);
  started_ = pool_->shared().gateway->clock().SteadyNow();
  cancellation_ = std::make_shared<Cancellation>();
  UnaryPool* const pool = pool_;
  pool->method().Handle(this);
  pool->Fill();
}

SteadyTime UnaryCall::Deadline() const { return started_ + TimeUntil(context_->raw_deadline()); }

bool UnaryCall::EnterInFlight() {
  ServerShared& shared = pool_->shared();
  if (shared.in_flight.fetch_add(1) >= shared.in_flight_max) {
    shared.in_flight.fetch_sub(1);
    return false;
  }
  shared.metrics.in_flight().Increment();
  in_flight_ = true;
  return true;
}

void UnaryCall::Account(const absl::Status& status) {
  ServerShared& shared = pool_->shared();
  const absl::Duration latency = shared.gateway->clock().SteadyNow() - started_;
  shared.metrics.Observe(pool_->method().metrics(), status, latency);
  if (in_flight_) {
    in_flight_ = false;
    shared.in_flight.fetch_sub(1);
    shared.metrics.in_flight().Decrement();
  }
  if ((status.ok() && latency < shared.slow_request) || !LogEnabled(LogLevel::kDebug)) return;
  Log(LogLevel::kDebug, status.ok() ? "slow request" : "failed request",
      {{"method", pool_->method().metrics().name},
       {"code", absl::StatusCodeToString(status.code())},
       {"reason", ReasonOf(status)},
       {"client", gateway_call_.client.ToTruncatedString()},
       {"attempts", gateway_call_.result.attempts},
       {"ms", absl::ToDoubleMilliseconds(latency)}});
}

void UnaryCall::Reply(const grpc::ByteBuffer& response) {
  ServerShared& shared = pool_->shared();
  const size_t bytes = response.Length();
  if (shared.answer_bytes.fetch_add(bytes) + bytes > shared.answer_bytes_max &&
      bytes > kSmallAnswerBytes) {
    shared.answer_bytes.fetch_sub(bytes);
    return Fail(
        WithRetryDelay(MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                                 "too many large answers wait for their readers; try again later",
                                 {{"what", "answer bytes"}}),
                       kOverloadedRetryDelay));
  }
  answer_bytes_ = bytes;
  Account(absl::OkStatus());
  writer_->Finish(response, grpc::Status::OK, &finish_event_);
}

void UnaryCall::Fail(const absl::Status& status) {
  Account(status);
  writer_->FinishWithError(ToGrpcStatus(status), &finish_event_);
}

void UnaryCall::OnFinish(bool) {
  finished_ = true;
  pool_->shared().answer_bytes.fetch_sub(std::exchange(answer_bytes_, 0));
  ReleaseIfOver();
}

void UnaryCall::OnDone(bool) {
  done_ = true;
  if (!finished_ && context_->IsCancelled()) cancellation_->Cancel();
  ReleaseIfOver();
}

void UnaryCall::Clear() {
  cancellation_.reset();
  gateway_call_ = GatewayCall();
  writer_.reset();
  context_.reset();
  request_.Clear();
  arena_.Reset();
}

void UnaryCall::ReleaseIfOver() {
  if (finished_ && done_) pool_->Release(this);
}

UnaryPool::UnaryPool(ServerShared* shared, UnaryMethod* method, CallQueue* queue, int posted)
    : shared_(shared), method_(method), queue_(queue), posted_wanted_(posted) {}

void UnaryPool::Fill() {
  while (posted_ < posted_wanted_ && !shared_->stopping.load()) {
    UnaryCall* call;
    if (idle_.empty()) {
      call = new UnaryCall(this);
    } else {
      call = idle_.back().release();
      idle_.pop_back();
    }
    ++posted_;
    call->Post();
  }
}

void UnaryPool::Release(UnaryCall* call) {
  call->Clear();
  if (idle_.size() < static_cast<size_t>(posted_wanted_)) {
    idle_.emplace_back(call);
  } else {
    delete call;
  }
  queue_->RemoveCall();
}

}  // namespace homeport
