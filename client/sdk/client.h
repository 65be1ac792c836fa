// Sessions with Homeport from C++.
//
//   ClientOptions options;
//   options.gateways = {"gateway-1:7011", "gateway-2:7011"};
//   auto client = sdk::Client::Create(std::move(options));
//   auto session = (*client)->NewSession();
//   v1::PutRequest put;
//   put.set_namespace_("demo");
//   put.set_id("user/7");
//   put.set_value("Ada");
//   absl::StatusOr<v1::PutResponse> written = session->Put(put);
//   absl::StatusOr<v1::GetResponse> read = session->Get(get);  // sees it, in whichever region
//
// A session sends its token by itself, gives every write a request id, sends again only what can
// not have a second effect, goes to the gateway that is nearest, and away from one that fails; the
// headers of client/sdk/core have the rules. Levels, targets, `local_only` and the like are fields
// of a request's options. Errors are absl::Status with a stable reason and metadata: ReasonOf and
// ErrorMetadataOf of common/status/error.h. UNAVAILABLE with reason OUTCOME_UNKNOWN is a write that
// may have been done; any other error of a write that names a reason and is not INTERNAL, UNKNOWN
// or NOT_YET_REPLICATED says that it was not.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/sdk/core/gateway_choice.h"
#include "client/sdk/core/retry.h"
#include "homeport/v1/key_value.pb.h"

namespace homeport::sdk {

// Calls of a session that wait for their turn; one more is RESOURCE_EXHAUSTED (OVERLOADED).
inline constexpr size_t kQueuedMax = 16384;

struct ClientOptions {
  // "host:port", best first, 1 to GatewayChoice::kGatewaysMax. Each the address of one process, not
  // of a balancer before several: a write is sent again by it.
  std::vector<std::string> gateways;
  // Sent as `x-forwarded-for`: the client's address, for gateways that trust this machine as a
  // proxy. Empty: not sent.
  std::string from;
  // Of every call, from when it is made to when it ends.
  absl::Duration deadline = absl::Seconds(5);
  RetryOptions retry;
  GatewayChoiceOptions choice;
};

class Session;

// Gateways and connections to them, and a thread that carries their calls. Thread-safe. Outlives
// its sessions. The destructor waits for calls that are under way, each of which has a deadline.
class Client {
 public:
  // INVALID_ARGUMENT for no gateway, too many, or a deadline that is not above zero.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One that has seen nothing; Join() gives it what another has seen.
  std::unique_ptr<Session> NewSession();
  // The gateway that is asked while it is fit.
  std::string preferred_gateway() const;

 private:
  friend class Session;
  struct Engine;
  explicit Client(ClientOptions options);

  const std::unique_ptr<Engine> engine_;
};

// What one user does: reads see the writes and reads before them, in every region.
//
// Thread-safe. Of any number of calls at most SessionTokens::kInFlightMax are under way at a time,
// up to kQueuedMax wait. Calls with a callback return at once; the callback runs on the client's
// thread and must not block, nor make a call without a callback. The requests' `session_token` is
// the session's to fill in, and `request_id` is, if it is empty.
//
// After HISTORY_LOST, TOKEN_FOREIGN or TOKEN_INVALID, each told by the call that met it, the
// session goes on with what it still can know.
class Session {
 public:
  template <typename Response>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

  // Calls that were begun go on.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // What this session has seen, for Join() in another process. Opaque; empty if it is nothing.
  std::string Export() const;
  // Adds what another session has seen. Errors as SessionTokens::Join.
  absl::Status Join(absl::string_view exported);

  void Get(v1::GetRequest request, Done<v1::GetResponse> done);
  void BatchGet(v1::BatchGetRequest request, Done<v1::BatchGetResponse> done);
  void Put(v1::PutRequest request, Done<v1::PutResponse> done);
  void Delete(v1::DeleteRequest request, Done<v1::DeleteResponse> done);
  void Mutate(v1::MutateRequest request, Done<v1::MutateResponse> done);
  void ListItems(v1::ListItemsRequest request, Done<v1::ListItemsResponse> done);
  void ListRecords(v1::ListRecordsRequest request, Done<v1::ListRecordsResponse> done);

  // These block until the call has ended.
  absl::StatusOr<v1::GetResponse> Get(v1::GetRequest request);
  absl::StatusOr<v1::BatchGetResponse> BatchGet(v1::BatchGetRequest request);
  absl::StatusOr<v1::PutResponse> Put(v1::PutRequest request);
  absl::StatusOr<v1::DeleteResponse> Delete(v1::DeleteRequest request);
  absl::StatusOr<v1::MutateResponse> Mutate(v1::MutateRequest request);
  absl::StatusOr<v1::ListItemsResponse> ListItems(v1::ListItemsRequest request);
  absl::StatusOr<v1::ListRecordsResponse> ListRecords(v1::ListRecordsRequest request);

 private:
  friend class Client;
  struct State;
  explicit Session(Client::Engine* engine);

  const std::shared_ptr<State> state_;
};

// The pages of a list, one after the other:
//
//   ItemPages pages(*session, request);
//   for (auto page = pages.Next(); page.ok() && page->has_value(); page = pages.Next()) ...
//
// Thread-compatible; the session must outlive it.
template <typename Request, typename Response,
          absl::StatusOr<Response> (Session::*kList)(Request request)>
class Pages {
 public:
  Pages(Session& session, Request request) : session_(session), request_(std::move(request)) {}

  // Nothing after the last page. After an error the same page may be asked for again.
  absl::StatusOr<std::optional<Response>> Next() {
    if (ended_) return std::optional<Response>();
    absl::StatusOr<Response> page = (session_.*kList)(request_);
    if (!page.ok()) return page.status();
    request_.set_page_token(page->next_page_token());
    ended_ = page->next_page_token().empty();
    return std::optional<Response>(*std::move(page));
  }

 private:
  Session& session_;
  Request request_;
  bool ended_ = false;
};

using ItemPages = Pages<v1::ListItemsRequest, v1::ListItemsResponse, &Session::ListItems>;
using RecordPages = Pages<v1::ListRecordsRequest, v1::ListRecordsResponse, &Session::ListRecords>;

}  // namespace homeport::sdk
