//! `corsward import` of Python: what a module's statements leave open is named.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops the test where it cannot go on")]

#[path = "common/importing.rs"]
mod importing;

/// The policy of files, and what is said, with the words of comments joined.
fn import(from: &str, files: &[(&str, &str)]) -> (String, String) {
    importing::import(&[from], files)
}

const BASE: &str = "CORS_ALLOWED_ORIGINS = ['https://a.example', 'https://b.example']\n";

#[test]
fn a_statement_that_is_not_run_leaves_a_named_hole() {
    for (more, want) in [
        (
            "if A:\n  pass\nelif B:\n  pass\nelse:\n  CORS_ALLOW_CREDENTIALS = True\n",
            "the condition `A`",
        ),
        (
            "try:\n  from .local import *\nexcept ImportError:\n  CORS_ALLOWED_ORIGINS = []\n",
            "the `except` at",
        ),
        ("for o in EXTRA:\n  CORS_ALLOWED_ORIGINS.append(o)\n", "`for o in EXTRA:`"),
        (
            "extra = []\nfor o in LIST:\n  extra.append(o)\nCORS_ALLOWED_ORIGINS += extra\n",
            "`for o in LIST:`",
        ),
        (
            "def prod():\n  global CORS_ALLOWED_ORIGINS\n  CORS_ALLOWED_ORIGINS = []\n",
            "`def prod():`",
        ),
        ("class Prod(Base):\n  CORS_ALLOW_CREDENTIALS = True\n", "`class Prod(Base):`"),
        (
            "from .cors import CORS_ALLOW_CREDENTIALS\n",
            "`from .cors import CORS_ALLOW_CREDENTIALS`",
        ),
        ("CORS_ALLOWED_ORIGINS.pop()\n", "`CORS_ALLOWED_ORIGINS.pop()`"),
        (
            "CORS_ALLOWED_ORIGINS = [o for o in ['https://c.example'] if wanted(o)]\n",
            "`[o for o in",
        ),
        ("check_request_enabled.connect(handler)\n", "`check_request_enabled` lets code allow"),
        ("CORS_ALLOW_PRIVATE_NETWORK = True\n", "CORS_ALLOW_PRIVATE_NETWORK is not read"),
        ("from .base import *\n", "`.base` is imported whole"),
        ("include('components/cors.py')\n", "`components/cors.py` is imported whole"),
        ("globals().update({'CORS_ALLOW_CREDENTIALS': True})\n", "`globals().update({'CORS"),
    ] {
        let (policy, said) = import("django", &[("settings.py", &format!("{BASE}{more}"))]);
        let all = policy + &said;
        assert!(all.contains("decide:") && all.contains(want), "{more}: {all}");
    }
}

#[test]
fn statements_that_say_their_value_are_read() {
    for more in [
        "CORS_ALLOWED_ORIGINS.remove('https://b.example')\n",
        "CORS_ALLOWED_ORIGINS, X = ['https://a.example'], 1\n",
        "globals()['CORS_ALLOWED_ORIGINS'] = ['https://a.example']\n",
        "CORS_ALLOWED_ORIGINS = [o for o in ['https://a.example', ''] if o]\n",
        "if False:\n  X = 1\nelif True:\n  CORS_ALLOWED_ORIGINS = ['https://a.example']\n",
    ] {
        let (policy, said) = import("django", &[("settings.py", &format!("{BASE}{more}"))]);
        assert!(
            policy.contains("allowOrigins: - https://a.example allowMethods"),
            "{more}: {said}{policy}"
        );
        assert!(!policy.contains("decide:"), "{more}: {policy}");
    }
    let given = [("base.py", BASE), ("prod.py", "from .base import *\nfrom .other import *\n")];
    let (policy, _) = import("django", &given);
    assert!(
        !policy.contains("`.base`") && policy.contains("decide: `.other` is imported whole"),
        "{policy}"
    );
}

#[test]
fn a_regex_of_paths_has_a_witness_where_no_rule_says_it() {
    let with = |regex: &str| {
        import("django", &[("s.py", &format!("{BASE}CORS_URLS_REGEX = r'{regex}'\n"))])
    };
    let (policy, report) = with("^/api");
    assert!(policy.contains("value: /api}") && report.contains("`GET /apix`"), "{report}{policy}");
    let (policy, report) = with("^/(api|v2)/");
    assert!(policy.contains("decide: CORS_URLS_REGEX"), "{policy}");
    assert!(report.contains("`GET /orders` `origin: https://a.example`"), "{report}");
}

#[test]
fn arguments_of_starlette_that_are_not_read_are_named() {
    let call = "allow_origins=['https://a.example'], ";
    for (text, want) in [
        (
            format!("app.add_middleware(CORSMiddleware, {call}**more)\n"),
            "decide: the argument `**more` is not read",
        ),
        (
            format!("app.add_middleware(CORSMiddleware, {call}allow_private_network=True)\n"),
            "the argument `allow_private_network`",
        ),
        (
            "app = CORSMiddleware(app, ['https://b.example'], allow_credentials=True)\n".to_owned(),
            "decide: an argument without a name",
        ),
        (
            format!(
                "app.add_middleware(CORSMiddleware, {call})\nresponse.headers[\"Access-Control-Allow-Origin\"] = \"*\"\n"
            ),
            "decide: `response.headers[\"Access-Control-Allow-Origin\"] = \"*\"` is not read",
        ),
        (
            format!(
                "one.add_middleware(CORSMiddleware, {call})\ntwo.add_middleware(CORSMiddleware, {call})\n"
            ),
            "decide: a second CORSMiddleware at app.py:1 is left out",
        ),
    ] {
        let (policy, said) = import("starlette", &[("app.py", &text)]);
        let all = policy + &said;
        assert!(all.contains(want), "{text}: {all}");
    }
}

#[test]
fn a_look_up_with_a_cast_has_its_default_in_the_same_type() {
    let both = "allowOrigins: - https://a.example - https://b.example";
    for look_up in [
        "config('X', cast=Csv(), default='https://a.example,https://b.example')",
        "config('X', default='https://a.example, https://b.example', cast=decouple.Csv())",
        "config('X', 'https://a.example,https://b.example', Csv())",
        "config('X', default='https://a.example,https://b.example', cast=lambda v: [s for s in v.split(',')])",
        "env.list('X', default=['https://a.example', 'https://b.example'])",
        "env.tuple('X', default=('https://a.example', 'https://b.example'))",
        "env('X', cast=list, default='https://a.example,https://b.example')",
    ] {
        let text = format!("CORS_ALLOWED_ORIGINS = {look_up}\n");
        let (policy, said) = import("django", &[("s.py", &text)]);
        let want = "decide: CORS_ALLOWED_ORIGINS has its value from the environment variable X, and what is written beside it stands here: \
                    import again with --env X=…, or add it here (s.py:1)";
        assert!(policy.contains(both) && policy.contains(want), "{look_up}: {said}{policy}");
        let arguments = ["django", "--env", "X=https://a.example,https://b.example"];
        let (policy, said) = importing::import(&arguments, &[("s.py", &text)]);
        assert!(policy.contains(both) && !policy.contains("decide:"), "{look_up}: {said}{policy}");
    }
    // A word of a default is no type.
    let text = "CORS_ALLOWED_ORIGINS = [os.environ.get('X', 'https://list.example')]\n";
    let (policy, said) = import("django", &[("s.py", text)]);
    assert!(policy.contains("allowOrigins: - https://list.example"), "{said}{policy}");
}
