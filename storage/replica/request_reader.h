// Answers reads from a replica's engine, and says in every answer where it comes from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/base/ids.h"
#include "common/session/session_token.h"
#include "common/time/clock.h"
#include "homeport/internal/v1/store.pb.h"
#include "homeport/v1/key_value.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/replica/published.h"
#include "storage/replication/record_reader.h"

namespace homeport {

// What a request is about, whatever its kind.
struct RequestParts {
  const std::string* name_space;
  const std::string* token;
  v1::ConsistencyLevel level = v1::CONSISTENCY_LEVEL_SESSION;
};
// nullopt if the request has no operation. Points into the request.
std::optional<RequestParts> PartsOf(const internal::v1::StoreRequest& request);

// Thread-safe: it holds nothing that changes.
class RequestReader {
 public:
  // `engine` and `clock` must outlive it.
  RequestReader(KvEngine* engine, const Clock* clock, ReplicaName self, uint64_t cluster,
                ReadLimits limits)
      : engine_(engine),
        clock_(clock),
        self_(std::move(self)),
        cluster_(cluster),
        limits_(limits) {}

  // Answers a request that is no write. `token` is what its session has seen, and becomes what it
  // has seen then. Errors as record_reader.h; UNAVAILABLE (CATCHING_UP) if the namespace is not
  // held whole yet.
  absl::Status Read(const Published& published, const NamespaceInfo& info,
                    v1::ConsistencyLevel level, const internal::v1::StoreRequest& request,
                    SessionToken& token, internal::v1::StoreResponse* response) const;

  // Fills in an answer's token and where it comes from. With `info`, of a namespace of the
  // published topology, also how old it may be.
  template <typename Answer>
  void Finish(const Published& published, const NamespaceInfo* info, v1::ConsistencyLevel level,
              SessionToken& token, Answer& answer) const {
    published.view->Normalize(token);
    answer.set_session_token(token.Serialize(cluster_));
    Describe(published, info, level, *answer.mutable_provenance());
  }

 private:
  void Describe(const Published& published, const NamespaceInfo* info, v1::ConsistencyLevel level,
                v1::Provenance& provenance) const;

  KvEngine* const engine_;
  const Clock* const clock_;
  const ReplicaName self_;
  const uint64_t cluster_;
  const ReadLimits limits_;
};

}  // namespace homeport
