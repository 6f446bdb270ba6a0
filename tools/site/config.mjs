// The site, for VitePress. It is copied beside the pages, with `site.json`: see build.mjs.
import { readFileSync } from 'node:fs';
import { anchorOf } from './pages.mjs';

const { groups, version, repository, base } = JSON.parse(
  readFileSync(new URL('site.json', import.meta.url), 'utf8'),
);
const sidebar = (language) => groups[language].map((group) => ({ ...group, collapsed: false }));
const nav = (configuration, troubleshooting, api) => [
  { text: configuration, link: '/docs/configuration' },
  { text: troubleshooting, link: '/docs/troubleshooting' },
  { text: api, link: '/docs/api/' },
  { text: version, link: '/CHANGELOG' },
];

export default {
  title: 'nestjs-distributed-lock',
  description: 'Distributed locks for NestJS on Redis',
  base,
  outDir: '../html',
  cleanUrls: true,
  lastUpdated: false,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  srcExclude: ['public/**'],
  markdown: { anchor: { slugify: anchorOf }, languageAlias: { acl: 'sh', 'acl-sentinel': 'sh' } },
  vite: { build: { chunkSizeWarningLimit: 4_000 } },
  locales: {
    root: { label: 'English', lang: 'en' },
    zh: {
      label: '简体中文',
      lang: 'zh-CN',
      description: '基于 Redis 的 NestJS 分布式锁',
      themeConfig: {
        nav: nav('配置项', '排错手册', 'API'),
        sidebar: sidebar('zh'),
        outline: { label: '本页目录', level: [2, 3] },
        docFooter: { prev: '上一篇', next: '下一篇' },
        darkModeSwitchLabel: '主题',
        lightModeSwitchTitle: '切换到浅色模式',
        darkModeSwitchTitle: '切换到深色模式',
        sidebarMenuLabel: '菜单',
        returnToTopLabel: '回到顶部',
        langMenuLabel: '切换语言',
      },
    },
  },
  themeConfig: {
    nav: nav('Configuration', 'Troubleshooting', 'API'),
    sidebar: sidebar('en'),
    outline: { level: [2, 3] },
    socialLinks: repository === undefined ? [] : [{ icon: 'github', link: repository }],
    search: {
      provider: 'local',
      options: {
        miniSearch: {
          // Chinese has no spaces: each character is a word of its own there, and all of a query must be found.
          options: { tokenize: (text) => text.match(/\p{Script=Han}|[^\s\p{Script=Han}\p{P}]+/gu) ?? [] },
          // A page that explains a word comes before the members that have it as their name.
          searchOptions: {
            combineWith: 'AND',
            boostDocument: (id) => (id.includes('/docs/api/') ? 0.2 : 1),
          },
        },
        locales: {
          zh: {
            translations: {
              button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
              modal: {
                noResultsText: '没有找到',
                resetButtonTitle: '清空',
                footer: { selectText: '选择', navigateText: '切换', closeText: '关闭' },
              },
            },
          },
        },
      },
    },
  },
};
