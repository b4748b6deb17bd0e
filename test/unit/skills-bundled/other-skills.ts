import type { Searchable } from '../../../mcp-server/skills/search.ts';

const LINES = `docker-deploy|Build and deploy Docker containers|docker
kubernetes-debug|Debug pods and services in a Kubernetes cluster when they crash|k8s
sql-query|Write and explain SQL queries for a database|sql
api-design|Design REST and GraphQL APIs, with reference documentation|api
translate|Translate texts and user interfaces into other languages|i18n
image-editor|Resize, crop and convert pictures|images
email-writer|Write emails and announcements to customers|mail
meeting-notes|Summarise a meeting into notes and tasks|notes
slides|Make a presentation from a document|slides
terraform-plan|Review a Terraform plan for risk and cost|infra
git-bisect|Find the commit that broke something with git bisect|git
git-rebase|Rebase, squash and split commits of a branch|git
pr-description|Write the description of a pull request|PR
issue-triage|Sort and label issues and bug reports|issues
security-scan|Scan code for security vulnerabilities|security
performance-profile|Profile a slow program and make it faster|speed
load-test|Test a server under load|test
e2e-browser|Test a web site in a browser|test
lint-config|Set up linters and formatters|lint
ci-setup|Set up a continuous integration pipeline|ci
npm-publish|Publish a package to npm|npm
python-env|Set up a Python environment and install packages with pip|python
excel-report|Make an Excel report with charts from data|excel
pdf-extract|Extract text and tables from PDF files|pdf
web-scraper|Scrape a web site into CSV or JSON|web
chart-maker|Draw charts of a dataset|chart
ml-train|Train a machine learning model on a dataset|ml
blog-post|Write a blog post about a new version|blog
social-post|Write a short social media post for a launch|social
http-headers|Check HTTP security headers|security
accessibility-audit|Audit a web page for accessibility|a11y
license-header|Add licence headers to source files|license
code-explainer|Explain what a piece of code does, line by line|explain
type-annotator|Add type annotations to Python code|types
migration-writer|Write a database migration|db
regex-helper|Write and explain regular expressions|regex
todo-list|Keep a list of tasks to do|todo
log-analysis|Analyse log files for errors and statistics|logs
seo-audit|Audit a web page for search engines|seo
brainstorm|Collect ideas for a new feature and compare options|ideas`;

/** Skills that somebody could have installed beside the bundled ones, near them in meaning. */
export const otherSkills: readonly Searchable[] = LINES.split('\n').map((line) => {
  const [name = '', description = '', tag = ''] = line.split('|');
  return { name, description, tags: [tag], headings: [] };
});
