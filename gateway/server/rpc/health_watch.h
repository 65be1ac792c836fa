// The streaming half of grpc.health.v1: telling a client each change of a service's state.
#pragma once

#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/call_queue.h"
#include "gateway/server/rpc/services.h"
#include "gateway/server/serving_state.h"
#include "grpcpp/alarm.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/async_stream.h"

namespace homeport {

class HealthWatch;

// The watches of one server, all on one queue. Add and Remove are called on the queue's thread, the
// rest in any thread.
class HealthWatches {
 public:
  // Everything that is pointed to must outlive the watches.
  HealthWatches(HealthService* service, const ServingState* serving, CallQueue* queue,
                absl::Duration interval, int watches_max);

  // Waits for the first client. On the queue's thread.
  void Start();
  // Makes every watch look at its state now.
  void WakeAll();
  // Ends every watch, and takes no more.
  void Stop();

  HealthService& service() { return *service_; }
  const ServingState& serving() const { return *serving_; }
  CallQueue& queue() { return *queue_; }
  absl::Duration interval() const { return interval_; }
  bool stopping() const;
  // False if there are as many as may be.
  bool Add(HealthWatch* watch);
  void Remove(HealthWatch* watch);

 private:
  HealthService* const service_;
  const ServingState* const serving_;
  CallQueue* const queue_;
  const absl::Duration interval_;
  const size_t watches_max_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<HealthWatch*> watches_ ABSL_GUARDED_BY(mutex_);
};

// One client's watch; deletes itself after its last event. Has one operation under way at any time:
// a write, an alarm or the finish.
class HealthWatch {
 public:
  explicit HealthWatch(HealthWatches* watches) : watches_(watches), writer_(&context_) {}

  // Waits for a client.
  void Post();
  // Ends the pause between two looks. In any thread.
  void Wake();

 private:
  void OnRequest(bool ok);
  void OnWritten(bool ok);
  void OnAlarm(bool ok);
  void OnFinish(bool ok);
  void OnDone(bool ok);
  void Look();
  void Pause();
  void Finish(const grpc::Status& status);
  void DeleteIfOver();

  HealthWatches* const watches_;
  QueueEvent request_event_ = QueueEvent::Of<&HealthWatch::OnRequest>(this);
  QueueEvent written_event_ = QueueEvent::Of<&HealthWatch::OnWritten>(this);
  QueueEvent alarm_event_ = QueueEvent::Of<&HealthWatch::OnAlarm>(this);
  QueueEvent finish_event_ = QueueEvent::Of<&HealthWatch::OnFinish>(this);
  QueueEvent done_event_ = QueueEvent::Of<&HealthWatch::OnDone>(this);

  grpc::ServerContext context_;
  grpc::health::v1::HealthCheckRequest request_;
  grpc::ServerAsyncWriter<grpc::health::v1::HealthCheckResponse> writer_;
  std::optional<ServingState::Answer> told_;
  bool added_ = false;
  bool gone_ = false;  // the client does not listen any more
  bool done_ = false;
  bool finished_ = false;

  // An alarm may be set in one thread while another wants to end it.
  absl::Mutex mutex_;
  std::optional<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace homeport
