// Answers reads from a replica's engine, and says in every answer where it comes from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/session/session_token.h"
#include "homeport/internal/v1/store.pb.h"
#include "homeport/v1/key_value.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/model/hybrid_time.h"
#include "storage/replica/published.h"
#include "storage/replication/record_reader.h"

namespace homeport {

// What a request is about, whatever its kind.
struct RequestParts {
  const std::string* name_space;
  const std::string* token;
  v1::ConsistencyLevel level = v1::CONSISTENCY_LEVEL_SESSION;
  absl::Duration max_staleness;  // of a BOUNDED read
};
// nullopt if the request has no operation. Points into the request.
std::optional<RequestParts> PartsOf(const internal::v1::StoreRequest& request);

// Thread-safe: it holds nothing that changes.
class RequestReader {
 public:
  // `engine` must outlive it.
  RequestReader(KvEngine* engine, ReplicaName self, uint64_t cluster, ReadLimits limits)
      : engine_(engine), self_(std::move(self)), cluster_(cluster), limits_(limits) {}

  // Answers a request that is no write, made at the time `now` of the replica's clock. `token` is
  // what its session has seen, and becomes what it has seen then. Errors as record_reader.h;
  // UNAVAILABLE (CATCHING_UP) if the namespace is not held whole yet.
  absl::Status Read(const Published& published, const NamespaceInfo& info,
                    v1::ConsistencyLevel level, HybridTime now,
                    const internal::v1::StoreRequest& request, SessionToken& token,
                    internal::v1::StoreResponse* response) const;

  // Fills in an answer's token and where it comes from.
  template <typename Answer>
  void Finish(const Published& published, v1::ConsistencyLevel level, SessionToken& token,
              Answer& answer) const {
    published.view->Normalize(token);
    answer.set_session_token(token.Serialize(cluster_));
    Describe(published, level, *answer.mutable_provenance());
  }

 private:
  void Describe(const Published& published, v1::ConsistencyLevel level,
                v1::Provenance& provenance) const;

  KvEngine* const engine_;
  const ReplicaName self_;
  const uint64_t cluster_;
  const ReadLimits limits_;
};

}  // namespace homeport
