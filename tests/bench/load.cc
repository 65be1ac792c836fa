#include "tests/bench/load.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "homeport/v1/key_value.grpc.pb.h"

namespace homeport::bench {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(10);
// Latencies are kept in microseconds; later ones count as this.
constexpr size_t kLatencyMicrosMax = 1'000'000;

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  // Each channel has a connection of its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status FromGrpc(const grpc::Status& status, const std::string& address) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(address, ": ", status.error_message()));
}

// Counts by microsecond, so that a quantile costs nothing while measuring.
class Latencies {
 public:
  void Add(absl::Duration latency) {
    const auto micros = static_cast<size_t>(std::max<int64_t>(0, ToInt64Microseconds(latency)));
    ++counts_[std::min(micros, kLatencyMicrosMax)];
    ++total_;
  }
  absl::Duration Quantile(double share) const {
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t micros = 0; micros < counts_.size(); ++micros) {
      seen += counts_[micros];
      if (seen > wanted) return absl::Microseconds(micros);
    }
    return absl::ZeroDuration();
  }

 private:
  std::vector<uint32_t> counts_ = std::vector<uint32_t>(kLatencyMicrosMax + 1);
  uint64_t total_ = 0;
};

// A call of RunLoad(), used again and again.
struct LoadCall {
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer response;
  grpc::Status status;
  absl::Time started;
  grpc::GenericStub* stub = nullptr;
};

class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options) {
    for (int i = 0; i < options.channels; ++i) {
      stubs_.push_back(std::make_unique<grpc::GenericStub>(OpenChannel(options.address)));
    }
    for (const std::string& request : options.requests) {
      grpc::Slice slice(request);
      requests_.emplace_back(&slice, 1);
    }
    for (int i = 0; i < options.outstanding; ++i) calls_.push_back(std::make_unique<LoadCall>());
    for (size_t i = 0; i < calls_.size(); ++i) calls_[i]->stub = stubs_[i % stubs_.size()].get();
  }

  absl::StatusOr<LoadResult> Run() {
    for (const auto& call : calls_) Send(*call);
    const absl::Time begin = absl::Now() + options_.warm_up;
    const absl::Time end = begin + options_.duration;
    absl::Time begun = absl::InfinitePast();
    absl::Time ended = absl::InfinitePast();
    LoadResult result;
    absl::Status failed;
    size_t under_way = calls_.size();
    bool stopping = false;
    while (under_way > 0) {
      void* tag = nullptr;
      bool ok = false;
      if (!queue_.Next(&tag, &ok)) break;
      LoadCall& call = *static_cast<LoadCall*>(tag);
      const absl::Time now = absl::Now();
      if (failed.ok()) failed = Check(call);
      const bool measuring = begun != absl::InfinitePast() && !stopping;
      if (measuring) {
        latencies_.Add(now - call.started);
        ++result.answered;
      }
      if (!failed.ok() || now >= end) {
        if (!stopping) {
          stopping = true;
          ended = now;
          if (options_.on_end) options_.on_end();
        }
        --under_way;
        continue;
      }
      if (begun == absl::InfinitePast() && now >= begin) {
        begun = now;
        if (options_.on_begin) options_.on_begin();
      }
      Send(call);
    }
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
    if (!failed.ok()) return failed;
    if (begun == absl::InfinitePast()) return absl::DeadlineExceededError("no answer in time");
    result.per_second = static_cast<double>(result.answered) / absl::ToDoubleSeconds(ended - begun);
    result.p50 = latencies_.Quantile(0.50);
    result.p99 = latencies_.Quantile(0.99);
    return result;
  }

 private:
  void Send(LoadCall& call) {
    call.started = absl::Now();
    call.context.emplace();
    call.context->set_deadline(absl::ToChronoTime(call.started + kCallTimeout));
    if (!options_.from.empty()) call.context->AddMetadata("x-forwarded-for", options_.from);
    call.response.Clear();
    call.reader = call.stub->PrepareUnaryCall(&*call.context, options_.method,
                                              requests_[next_++ % requests_.size()], &queue_);
    call.reader->StartCall();
    call.reader->Finish(&call.response, &call.status, &call);
  }

  absl::Status Check(const LoadCall& call) const {
    if (!call.status.ok()) return FromGrpc(call.status, options_.address);
    if (call.response.Length() < options_.response_bytes_min) {
      return absl::InternalError(absl::StrCat(options_.address, ": an answer of ",
                                              call.response.Length(), " bytes, not at least ",
                                              options_.response_bytes_min));
    }
    return absl::OkStatus();
  }

  const LoadOptions& options_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<grpc::ByteBuffer> requests_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<LoadCall>> calls_;
  Latencies latencies_;
  size_t next_ = 0;
};

// One write of RunLag(), and the read that follows it.
struct LagCall {
  grpc::ClientContext write_context;
  grpc::ClientContext read_context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::PutResponse>> write;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::GetResponse>> read;
  v1::PutResponse put;
  v1::GetResponse get;
  grpc::Status status;
  std::string id;
  bool followed = false;
  bool measured = false;
  absl::Time started;
  absl::Time acknowledged;
};

class Lag {
 public:
  explicit Lag(const LagOptions& options) : options_(options) {
    for (int i = 0; i < kChannels; ++i) {
      writers_.push_back(v1::KeyValue::NewStub(OpenChannel(options.write_address)));
      readers_.push_back(v1::KeyValue::NewStub(OpenChannel(options.read_address)));
    }
  }

  absl::StatusOr<LagResult> Run() {
    const absl::Time first = absl::Now();
    begin_ = first + options_.warm_up;
    end_ = begin_ + options_.duration;
    const absl::Duration interval = absl::Seconds(1) / options_.writes_per_second;
    absl::Time due = first;
    while (true) {
      const absl::Time now = absl::Now();
      while (due <= now && due < end_ && failed_.ok()) {
        Write(due);
        due += interval;
      }
      if ((now >= end_ || !failed_.ok()) && under_way_ == 0) break;
      void* tag = nullptr;
      bool ok = false;
      const absl::Time wake = due < end_ ? due : now + absl::Milliseconds(100);
      if (queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(wake)) ==
          grpc::CompletionQueue::GOT_EVENT) {
        OnEvent(static_cast<LagCall*>(tag));
      }
    }
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
    if (!failed_.ok()) return failed_;
    result_.writes_per_second =
        static_cast<double>(acknowledged_) / absl::ToDoubleSeconds(options_.duration);
    return std::move(result_);
  }

 private:
  static constexpr int kChannels = 2;

  void Write(absl::Time due) {
    auto* call = new LagCall;
    ++under_way_;
    const uint64_t number = next_++;
    call->id = absl::StrFormat("lag%08d", number);
    call->followed = number % static_cast<uint64_t>(options_.probe_every) == 0;
    call->measured = due >= begin_;
    v1::PutRequest request;
    request.set_namespace_(options_.name_space);
    request.set_id(call->id);
    request.set_value(std::string(options_.value_bytes, 'v'));
    request.mutable_options()->set_local_only(true);
    call->started = absl::Now();
    call->write_context.set_deadline(absl::ToChronoTime(call->started + kCallTimeout));
    call->write = writers_[number % kChannels]->AsyncPut(&call->write_context, request, &queue_);
    call->write->Finish(&call->put, &call->status, call);
  }

  void OnEvent(LagCall* call) {
    const absl::Time now = absl::Now();
    if (call->read == nullptr) {
      OnAcknowledged(call, now);
    } else {
      OnRead(call, now);
    }
  }

  void OnAcknowledged(LagCall* call, absl::Time now) {
    if (!call->status.ok()) {
      ++result_.failed_writes;
      return Drop(call);
    }
    if (now >= begin_ && now < end_) ++acknowledged_;
    if (!call->followed) return Drop(call);
    call->acknowledged = now;
    v1::GetRequest request;
    request.set_namespace_(options_.name_space);
    request.set_id(call->id);
    request.mutable_options()->set_consistency(v1::CONSISTENCY_LEVEL_SESSION);
    request.mutable_options()->set_session_token(call->put.session_token());
    request.mutable_options()->set_local_only(true);
    call->read_context.set_deadline(absl::ToChronoTime(now + kCallTimeout));
    call->read = readers_[0]->AsyncGet(&call->read_context, request, &queue_);
    call->read->Finish(&call->get, &call->status, call);
  }

  void OnRead(LagCall* call, absl::Time now) {
    if (!call->status.ok()) {
      if (failed_.ok()) failed_ = FromGrpc(call->status, options_.read_address);
    } else if (call->get.item().value().size() != options_.value_bytes) {
      failed_ = absl::InternalError(
          absl::StrCat(options_.read_address, ": ", call->id, " has another value"));
    } else if (call->measured) {
      result_.from_acknowledgement_ms.push_back(
          absl::ToDoubleMilliseconds(now - call->acknowledged));
      result_.from_start_ms.push_back(absl::ToDoubleMilliseconds(now - call->started));
      result_.write_ms.push_back(absl::ToDoubleMilliseconds(call->acknowledged - call->started));
    }
    Drop(call);
  }

  void Drop(LagCall* call) {
    --under_way_;
    delete call;
  }

  const LagOptions& options_;
  std::vector<std::unique_ptr<v1::KeyValue::Stub>> writers_;
  std::vector<std::unique_ptr<v1::KeyValue::Stub>> readers_;
  grpc::CompletionQueue queue_;
  absl::Time begin_;
  absl::Time end_;
  uint64_t next_ = 0;
  uint64_t under_way_ = 0;
  uint64_t acknowledged_ = 0;
  absl::Status failed_;
  LagResult result_;
};

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options) { return Load(options).Run(); }

absl::StatusOr<LagResult> RunLag(const LagOptions& options) { return Lag(options).Run(); }

}  // namespace homeport::bench
