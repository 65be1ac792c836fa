// Reading records from an engine. No I/O but the engine's.
//
// Every reader adds to `seen` what the answer shows, for the session token: the position of each
// item, and of each tombstone that the answer rests on; of a counter or a set the last position of
// each origin that the number or the elements rest on. What has expired by `now` is treated as a
// tombstone is.
#pragma once

#include "absl/status/status.h"
#include "common/session/session_token.h"
#include "homeport/v1/key_value.pb.h"
#include "storage/engine/kv_engine.h"
#include "storage/model/hybrid_time.h"

namespace homeport {

// Limits of one answer.
struct ReadLimits {
  int page_size_default = 100;
  size_t page_bytes = 3 * 1024 * 1024;
  // Stored items that a page looks at, so that a range of deletes does not hold up other reads; the
  // page is then short and has a token.
  int scanned_max = 20000;
};

// Fill in everything but session token and provenance. Requests are validated. Errors: the
// engine's, and INVALID_ARGUMENT (PAGE_TOKEN_INVALID).
absl::Status ReadItem(KvEngine* engine, const v1::GetRequest& request, HybridTime now,
                      SessionToken& seen, v1::GetResponse& response);
absl::Status ReadItems(KvEngine* engine, const v1::BatchGetRequest& request, HybridTime now,
                       const ReadLimits& limits, SessionToken& seen,
                       v1::BatchGetResponse& response);
absl::Status ListItems(KvEngine* engine, const v1::ListItemsRequest& request, HybridTime now,
                       const ReadLimits& limits, SessionToken& seen,
                       v1::ListItemsResponse& response);
absl::Status ListRecords(KvEngine* engine, const v1::ListRecordsRequest& request, HybridTime now,
                         const ReadLimits& limits, SessionToken& seen,
                         v1::ListRecordsResponse& response);

}  // namespace homeport
