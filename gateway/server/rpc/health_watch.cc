#include "gateway/server/rpc/health_watch.h"

#include "common/rpc/grpc_time.h"
#include "common/status/error.h"
#include "gateway/server/rpc/info_methods.h"
#include "gateway/server/rpc/wire_status.h"

namespace homeport {

HealthWatches::HealthWatches(HealthService* service, const ServingState* serving, CallQueue* queue,
                             absl::Duration interval, int watches_max)
    : service_(service),
      serving_(serving),
      queue_(queue),
      interval_(interval),
      watches_max_(watches_max) {}

void HealthWatches::Start() { (new HealthWatch(this))->Post(); }

void HealthWatches::WakeAll() {
  absl::MutexLock lock(&mutex_);
  for (HealthWatch* watch : watches_) watch->Wake();
}

void HealthWatches::Stop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
  for (HealthWatch* watch : watches_) watch->Wake();
}

bool HealthWatches::stopping() const {
  absl::MutexLock lock(&mutex_);
  return stopping_;
}

bool HealthWatches::Add(HealthWatch* watch) {
  absl::MutexLock lock(&mutex_);
  if (watches_.size() >= watches_max_) return false;
  watches_.insert(watch);
  return true;
}

void HealthWatches::Remove(HealthWatch* watch) {
  absl::MutexLock lock(&mutex_);
  watches_.erase(watch);
}

void HealthWatch::Post() {
  watches_->queue().AddCall();
  context_.AsyncNotifyWhenDone(&done_event_);
  grpc::ServerCompletionQueue* queue = watches_->queue().arrivals();
  watches_->service().RequestWatch(&context_, &request_, &writer_, queue, queue, &request_event_);
}

void HealthWatch::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  if (alarm_) alarm_->Cancel();
}

void HealthWatch::OnRequest(bool ok) {
  if (!ok) {
    // The server stops. gRPC then sends no other event of this call.
    CallQueue& queue = watches_->queue();
    delete this;
    queue.RemoveCall();
    return;
  }
  if (!watches_->stopping()) (new HealthWatch(watches_))->Post();
  added_ = watches_->Add(this);
  if (!added_) {
    return Finish(ToGrpcStatus(MakeError(absl::StatusCode::kResourceExhausted, reason::kOverloaded,
                                         "the gateway has too many health watches",
                                         {{"what", "health watches"}})));
  }
  Look();
}

void HealthWatch::Look() {
  if (gone_) return Finish(grpc::Status::CANCELLED);
  const ServingState::Answer answer = watches_->serving().Of(request_.service());
  if (told_ != answer) {
    told_ = answer;
    grpc::health::v1::HealthCheckResponse response;
    response.set_status(ToWire(answer));
    writer_.Write(response, &written_event_);
  } else if (watches_->stopping()) {
    Finish(ToGrpcStatus(MakeError(absl::StatusCode::kUnavailable, reason::kDraining,
                                  "the gateway is shutting down")));
  } else {
    Pause();
  }
}

void HealthWatch::OnWritten(bool ok) {
  if (!ok) gone_ = true;
  Look();
}

void HealthWatch::Pause() {
  absl::MutexLock lock(&mutex_);
  const gpr_timespec until = GrpcTimeAfter(woken_ ? absl::ZeroDuration() : watches_->interval());
  woken_ = false;
  alarm_.emplace();
  alarm_->Set(watches_->queue().get(), until, &alarm_event_);
}

void HealthWatch::OnAlarm(bool) {
  {
    absl::MutexLock lock(&mutex_);
    woken_ = false;
  }
  Look();
}

void HealthWatch::Finish(const grpc::Status& status) { writer_.Finish(status, &finish_event_); }

void HealthWatch::OnFinish(bool) {
  finished_ = true;
  DeleteIfOver();
}

void HealthWatch::OnDone(bool) {
  gone_ = true;
  done_ = true;
  Wake();
  DeleteIfOver();
}

void HealthWatch::DeleteIfOver() {
  if (!finished_ || !done_) return;
  if (added_) watches_->Remove(this);
  CallQueue& queue = watches_->queue();
  delete this;
  queue.RemoveCall();
}

}  // namespace homeport
