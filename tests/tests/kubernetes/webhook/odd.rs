//! Requests that no API server sends: each gets a clear answer, and the next review is answered as usual.

use serde_json::{Value, json};

use super::fixture::{WebhookFixture, review};

/// Answers to what can be read.
#[test]
fn reviews_of_other_things_are_allowed_with_a_word() {
    let client = WebhookFixture::shared().client();
    for (why, path, value, word) in [
        (
            "a foreign kind",
            "kind",
            json!({ "group": "apps", "version": "v1", "kind": "Deployment" }),
            "corsward: shop/api: Deployment of apps/v1 is not judged here",
        ),
        (
            "another version of ours",
            "kind",
            json!({ "group": "corsward.io", "version": "v9", "kind": "CorsPolicy" }),
            "corsward: shop/api: CorsPolicy of corsward.io/v9 is not judged here",
        ),
    ] {
        let mut review = review(&json!({}));
        review["request"][path] = value;
        let answer = client.review(&review);
        assert_eq!(answer.status, 200, "{why}: {answer:?}");
        let response = &answer.json()["response"];
        assert_eq!(response["allowed"], true, "{why}: {response}");
        assert_eq!(response["uid"], "some-uid", "{why}: {response}");
        assert_eq!(response["warnings"], json!([word]), "{why}");
    }
}

#[test]
fn what_is_no_review_is_refused_in_a_sentence_and_the_next_review_is_answered() {
    let client = WebhookFixture::shared().client();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut review = review(&json!({}));
        change(&mut review);
        review.to_string().into_bytes()
    };
    let cut = with(&|_| {});
    for (why, body, status, word) in [
        ("nothing", Vec::new(), 400, "not an AdmissionReview"),
        ("no JSON", b"policy: true".to_vec(), 400, "not an AdmissionReview"),
        ("no text", vec![0xff; 1000], 400, "not an AdmissionReview"),
        ("half a review", cut[..cut.len() / 2].to_vec(), 400, "not an AdmissionReview"),
        (
            "nesting beyond any use",
            "[".repeat(1_000_000).into_bytes(),
            400,
            "not an AdmissionReview",
        ),
        (
            "another version",
            with(&|r| r["apiVersion"] = json!("admission.k8s.io/v1beta1")),
            400,
            "send an `AdmissionReview` of `admission.k8s.io/v1`",
        ),
        (
            "another kind",
            with(&|r| r["kind"] = json!("Pod")),
            400,
            "send an `AdmissionReview` of `admission.k8s.io/v1`",
        ),
        ("no request", with(&|r| r["request"] = Value::Null), 400, "no `request`"),
        ("no uid", with(&|r| r["request"]["uid"] = json!("")), 400, "no `request.uid`"),
        ("no object", with(&|r| r["request"]["object"] = Value::Null), 400, "no `request.object`"),
        (
            "an object that is none",
            with(&|r| r["request"]["object"] = json!([1])),
            400,
            "not an AdmissionReview",
        ),
        ("too much", vec![b' '; 3 * 1024 * 1024 + 1], 413, "a review has at most 3145728 bytes"),
    ] {
        let answer = client.post("/validate", &body);
        assert_eq!(answer.status, status, "{why}: {answer:?}");
        assert!(answer.body.contains(word), "{why}: {answer:?}");
    }
    assert_eq!(client.post("/", b"{}").status, 404);
    assert_eq!(
        client.send(b"GET /validate HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").status,
        405
    );
    assert_eq!(client.send(b"\x16\x03nothing that is HTTP\r\n\r\n").status, 400);
    let wrong = review(&json!({ "cors": { "allowOrigins": ["https://a.example/x"] } }));
    let judged = client.judged(&wrong);
    assert_eq!(judged.json()["response"]["allowed"], false);
}

#[test]
fn a_policy_as_large_as_a_review_may_be_is_answered() {
    // One of its own: meanwhile the operator judges nothing else.
    let fixture = WebhookFixture::own();
    let client = fixture.client();
    let origins: Vec<String> = (0..60_000).map(|at| format!("https://{at}.example/x")).collect();
    let large = review(&json!({ "cors": { "allowOrigins": origins } }));
    assert!(large.to_string().len() < 3 * 1024 * 1024);
    let answer = client.review(&large);
    assert_eq!(answer.status, 200, "{}", answer.body.len());
    assert!(answer.body.len() < 128 * 1024, "an answer is shorter than what it is about");
}

#[test]
fn whoever_never_ends_a_review_is_sent_away() {
    let client = WebhookFixture::shared().client();
    let head = b"POST /validate HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{";
    let answer = client.send(head);
    assert_eq!(answer.status, 408, "{answer:?}");
}
